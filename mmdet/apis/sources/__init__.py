"""Where pictures come from: files, folders, videos, cameras, streams, arrays."""

from mmdet.datasets.image_file import UnreadableError

from .opening import Source, open_source
from .picture import Picture, Pictures

__all__ = ['Picture', 'Pictures', 'Source', 'UnreadableError', 'open_source']
