"""The frames of a video, by PyAV, which has FFmpeg's libraries inside.

OpenCV has them, too, but ends at the first broken frame without a word, and writes no video that
browsers show.
"""

import gc
import os
from collections.abc import Generator, Iterator
from functools import cache
from os.path import dirname
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from mmdet.datasets.image_file import UnreadableError
from mmdet.errors import UserError, missing_package

from .clock import Clock
from .picture import Picture

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

VIDEO_SUFFIXES = (
    *('.3gp', '.asf', '.avi', '.flv', '.gif', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg'),
    *('.mpg', '.mts', '.ogv', '.ts', '.vob', '.webm', '.wmv'),
)
"""By which a video is told from other files, in small letters."""

# Those that say how long they are, in FFmpeg's names; of others it guesses, by size or last frame.
_SAY_LENGTH = ('avi', 'flv', 'matroska,webm')
# By so much, in seconds and as a part, may a file be shorter than it says.
_TOLERANCE = (1.0, 0.2)


def load_av() -> ModuleType:
    """Return PyAV.

    Raises:
        UserError: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise missing_package('videos and streams need PyAV', 'video') from None
    _free_decoders_before_forks()
    return av


@cache
def _free_decoders_before_forks() -> None:
    """A decoder that waits for the collector has threads, which a forked process has not.

    Were it to free the decoder, it would crash: a data loader's worker, for one.
    """
    os.register_at_fork(before=gc.collect)


class VideoFile:
    """The frames of a video's file.

    A frame that cannot be decoded is left out; so are those after it that are described by their
    difference from it.

    Args:
        path: of the file.
        strict: a broken frame raises; otherwise they are counted, and `broken` says so.

    Raises:
        UnreadableError: it is no video that can be read.
        UserError: PyAV is not installed.
    """

    live: bool = False

    def __init__(self, path: str, *, strict: bool = False) -> None:
        av = load_av()
        try:
            self.container: InputContainer = av.open(path)
        except (av.error.FFmpegError, OSError) as error:
            raise UnreadableError(
                f'{path} cannot be read, neither as an image nor as a video ({reason(error)}): '
                'it is broken, cut off, or something else'
            ) from None
        if not self.container.streams.video:
            self.container.close()
            raise UnreadableError(f'{path} has no pictures, only sound or text')
        stream = self.container.streams.video[0]
        length = float(self.container.duration or 0) / av.time_base
        self.path = path
        self.root = dirname(path)
        self.strict = strict
        self._is_used = False
        self.total: int | None = (
            announced(self.container) or round(length * float(stream.average_rate or 0)) or None
        )
        self.broken: list[str] = []
        self.notes: list[str] = []

    def __iter__(self) -> Generator[Picture, None, None]:
        """Yield the frames that can be decoded.

        Raises:
            UnreadableError: none can, or one cannot and `strict`.
            UserError: they have been gone through.
        """
        if self._is_used:
            raise UserError(f'{self.path} has been gone through: open it again')
        self._is_used = True
        with self.container:
            frames = Frames(self.container)
            for frame, number, time in frames:
                if self.strict and frames.lost:
                    break
                yield Picture(image_of(frame), self.path, number, time)
        self.broken += frames.complaints(self.path)
        if self.broken and (self.strict or not frames.given):
            raise UnreadableError(self.broken[0])


def announced(container: 'InputContainer') -> int:
    """Return how many frames a file says that it has; 0 if it does not say."""
    stream = container.streams.video[0]
    if container.format.name != 'avi':
        return stream.frames
    # AVI's header counts ticks, of which any number may pass without a frame. Its index, which
    # stands at its end, counts frames; without one FFmpeg has made an entry of the first.
    number = len(stream.index_entries)
    return number if number > 1 else 0


class Frames:
    """Whole frames of the first video stream of a container, with their number and time.

    The number counts the frames that came before; the time is that of the video.

    Args:
        container: opened for reading.

    Attributes:
        given: how many frames there were so far.
        lost: how many could not be decoded, those included that the decoder has held back as they
            differ from one of which it has nothing.
        first_lost: the time of the first of them in seconds, if known.
        missing: how many more the file announces than are in it.
        unseen: how many seconds it announces beyond its end, where it announces no frames.
    """

    def __init__(self, container: 'InputContainer') -> None:
        self.container = container
        self.stream = container.streams.video[0]
        self.stream.thread_type = 'AUTO'
        self.given = 0
        self.lost = 0
        self.first_lost: float | None = None
        self.missing = 0
        self.unseen = 0.0
        self._begin: float | None = None
        self._clock = Clock(1 / float(self.stream.average_rate or 25))

    def __iter__(self) -> Iterator[tuple['VideoFrame', int, float]]:
        errors = load_av().error
        number = announced(self.container)
        packets = sent = 0
        last = end = -1.0
        try:
            for packet in self.container.demux():  # sound, too, as it may last for longer
                if packet.pts is not None and packet.time_base is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream.index != self.stream.index:
                    continue
                packets += packet.dts is not None or packet.size > 0
                sent += packet.size > 0 and not packet.is_discard
                try:
                    frames = packet.decode()
                except errors.InvalidDataError:
                    self._lose(packet.pts)
                    continue
                for frame in frames:
                    time = max(0.0, self._clock.at(self._time(frame.pts)))
                    # After an error a decoder may also hand out an old one late.
                    if frame.is_corrupt or (self.lost and time <= last):
                        self._lose(frame.pts)
                        continue
                    last = time
                    self.given += 1
                    yield frame, self.given - 1, time
        except (errors.InvalidDataError, errors.EOFError):
            self._lose(None)  # the structure of the file: nothing can follow
        if number:
            self.missing = max(0, number - packets)
        elif packets and self.container.format.name in _SAY_LENGTH:
            length = self._length()
            unseen = length - (end - self._start())
            seconds, part = _TOLERANCE
            self.unseen = unseen if unseen > min(seconds, part * length) else 0.0
        # Nobody says of how many frames the decoder makes nothing. In a whole video it may be
        # fewer than packets.
        if self.lost or self.missing:
            self.lost = max(self.lost, sent - self.given)

    def complaints(self, name: str) -> list[str]:
        """Return what is wrong with the video, a sentence each."""
        found = []
        if self.lost:
            begin = '' if self.first_lost is None else f', the first at {self.first_lost:.1f} s'
            frames = f'{self.lost} frame{"s" if self.lost > 1 else ""}'
            found.append(f'{name}: {frames} cannot be decoded{begin}')
        if self.missing:
            found.append(f'{name} is cut off: the last {self.missing} frames are missing')
        if self.unseen:
            found.append(f'{name} is cut off: the last {self.unseen:.1f} s are missing')
        if not found and not self.given:
            found.append(f'{name} has no frame')
        return found

    def _lose(self, pts: int | None) -> None:
        if not self.lost and pts is not None:
            self.first_lost = max(0.0, self._time(pts))
        self.lost += 1

    def _time(self, pts: int | None) -> float:
        """Return when a frame is shown after the beginning, which is that of the sound, too.

        It may be before it, as in a piece of a video whose clock begins anew.
        """
        if pts is None or self.stream.time_base is None:
            return (self.given + self.lost) / float(self.stream.average_rate or 25)
        seconds = float(pts * self.stream.time_base)
        if self._begin is None:
            self._begin = seconds if self.container.start_time is None else self._start()
        return seconds - self._begin

    def _start(self) -> float:
        return (self.container.start_time or 0) / load_av().time_base

    def _length(self) -> float:
        """Return how long a file of `_SAY_LENGTH` says that it is, in seconds; 0 if it does not."""
        if self.container.format.name == 'avi':  # FFmpeg guesses by the size of what is there
            return float(self.stream.frames * (self.stream.time_base or 0))
        return (self.container.duration or 0) / load_av().time_base


def image_of(frame: 'VideoFrame') -> np.ndarray:
    """Return a frame's (h, w, 3) uint8 BGR image, turned as the camera was held."""
    image = frame.to_ndarray(format='bgr24')
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def reason(error: Exception) -> str:
    """Return what FFmpeg says in a few words."""
    return (getattr(error, 'strerror', None) or str(error)).rstrip('.')
