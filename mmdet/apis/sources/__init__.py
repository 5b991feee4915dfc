"""Where pictures come from: files, folders, videos, cameras, streams, arrays."""

from .opening import Source, open_source
from .picture import Picture, Pictures, UnreadableError

__all__ = ['Picture', 'Pictures', 'Source', 'UnreadableError', 'open_source']
