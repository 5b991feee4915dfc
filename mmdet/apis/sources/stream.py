"""A stream of the network, by PyAV."""

import time
from collections.abc import Generator, Iterator
from urllib.parse import urlsplit, urlunsplit

from mmdet.datasets.image_file import UnreadableError
from mmdet.errors import UserError

from .newest import Newest
from .picture import Picture
from .video_file import Frames, image_of, load_av, reason

TIMEOUT = 10.0  # seconds


class Stream:
    """The frames of an address, such as an RTSP camera's.

    Of a stream without an end, such frames are left out as arrive while another is looked at: what
    is yielded is what is there to be seen now. A video's file behind an address is read whole.

    Args:
        address: with a scheme that FFmpeg knows; a user and a password may be in it.
        strict: as in `VideoFile`.
        timeout: how long to wait for an answer, and for each next frame, in seconds.

    Raises:
        UserError: it does not answer, or with something else than a video; or PyAV is missing.
    """

    def __init__(self, address: str, *, strict: bool = False, timeout: float = TIMEOUT) -> None:
        av = load_av()
        self.path = without_password(address)
        self.strict = strict
        self.timeout = timeout
        # Over TCP nothing is lost on the way, which over UDP breaks pictures.
        options = {'rtsp_flags': 'prefer_tcp'} if address.startswith('rtsp') else {}
        begin = time.monotonic()
        try:
            self.container = av.open(address, timeout=timeout, options=options)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            # Some of FFmpeg's protocols call it invalid data when the wait is broken off.
            has_waited = time.monotonic() - begin >= timeout
            why = f'no answer within {timeout:g} s' if has_waited else reason(error)
            raise UserError(
                f'{self.path} cannot be opened ({why}): check the address, the network, and '
                'whether a player opens it'
            ) from None
        if not self.container.streams.video:
            raise UserError(f'{self.path} has no pictures')
        self.live = self.container.duration is None
        stream = self.container.streams.video[0]
        self.total: int | None = None if self.live else stream.frames or None
        self.root = ''
        self.broken: list[str] = []
        self.notes: list[str] = []

    def __iter__(self) -> Generator[Picture, None, None]:
        """Yield the frames until the stream ends.

        Raises:
            UnreadableError: `strict`, and a frame is broken, or the stream stopped to answer.
        """
        frames = Frames(self.container)
        found = self._pictures(frames)
        if not self.live:
            yield from found
            return
        newest = Newest(found)
        try:
            yield from newest
        finally:
            newest.close()
            self.notes += newest.notes(self.path)

    def _pictures(self, frames: Frames) -> Iterator[Picture]:
        av = load_av()
        with self.container:
            try:
                for frame, number, seconds in frames:
                    if self.strict and frames.lost:
                        break
                    yield Picture(image_of(frame), self.path, number, seconds)
            except (av.error.FFmpegError, OSError) as error:
                why = reason(error)
                if isinstance(error, av.error.ExitError):
                    why = f'nothing came for {self.timeout:g} s'
                self.broken.append(f'{self.path} ended after {frames.given} frames: {why}')
            finally:
                self.broken += frames.complaints(self.path)
        if self.broken and (self.strict or not frames.given):
            raise UnreadableError(self.broken[0])


def without_password(address: str) -> str:
    """Return an address that can be shown.

    >>> without_password('rtsp://me:secret@10.0.0.7:554/front?token=1')
    'rtsp://10.0.0.7:554/front'
    """
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition('@')[2], parts.path, '', ''))
