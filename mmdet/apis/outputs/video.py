"""Writing a video that browsers and players show: H.264 in MP4, by PyAV."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mmdet.apis.sources.clock import Clock
from mmdet.apis.sources.video_file import load_av
from mmdet.errors import UserError

if TYPE_CHECKING:
    from av import AudioStream, Packet
    from av.container import InputContainer, OutputContainer

# The first that PyAV's FFmpeg has: which, depends on the licence that it was built under.
CODECS: dict[str, dict[str, str]] = {
    'libx264': dict(crf='20', preset='veryfast'),
    'libopenh264': {},
    'libvpx-vp9': dict(crf='30', deadline='realtime'),
}
_SUFFIXES = ('.mp4', '.m4v')
_SOUND = ('aac', 'ac3', 'alac', 'eac3', 'flac', 'mp3', 'opus')  # what MP4 takes
_CLOCK = Fraction(1, 90_000)  # divides the usual frame rates
# FFmpeg's numbers of a colour space and of a range of values.
_BT709 = 1
_LIMITED = 1


class VideoWriter:
    """A video of pictures at their times, of an even size, 8 bits and 4:2:0.

    It is written in fragments of a second, which can be seen wherever the file ends, and becomes
    an ordinary MP4 when it is closed. So of a full disk, or of a process that is killed, all but
    the last second is left.

    Args:
        path: of the file; its folder is made.
        sound_of: a video whose sound is copied, as it is.

    Attributes:
        notes: what there is to say about it at its end, a sentence each.

    Raises:
        UserError: the file has another ending than `.mp4`; PyAV is not installed, or cannot write
            such a video.
    """

    def __init__(self, path: str | Path, *, sound_of: str | None = None) -> None:
        av = load_av()
        self.path = Path(path)
        if self.path.suffix.lower() not in _SUFFIXES:
            raise UserError(f'{path}: videos are written as MP4; name a .mp4 file')
        self.notes: list[str] = []
        self._last, self._step = -1, 0  # ticks of the clock
        self._size: tuple[int, int] | None = None
        codec = next(filter(_is_there, CODECS), None)
        if codec is None:
            raise UserError(
                f"PyAV's FFmpeg has none of {', '.join(CODECS)}, with which videos are written: "
                'install the PyAV that pip gives'
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = av.open(
            str(self.path),
            'w',
            format='mp4',
            options={
                'movflags': 'hybrid_fragmented',
                'frag_duration': '1000000',
                # Or else the pictures would come later by what AAC begins before 0.
                'use_editlist': '1',
            },
        )
        self._stream = self._file.add_stream(codec, rate=30, options=CODECS[codec])
        self._sound = _Sound(sound_of, self._file) if sound_of else None
        if self._sound and self._sound.refused:
            self.notes.append(self._sound.refused)

    def write(self, image: np.ndarray, time: float) -> None:
        """Add a picture.

        Args:
            image: (h, w, 3) uint8 BGR; of another size than the first it is scaled to that one.
            time: in seconds from the beginning, later than the one before.

        Raises:
            OSError: the disk is full, or cannot be written.
        """
        av = load_av()
        height, width = self._size = self._size or self._begin(image)
        if image.shape[:2] != self._size:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(image, format='bgr24')
        frame = frame.reformat(format='yuv420p', dst_colorspace=_BT709, dst_color_range=_LIMITED)
        ticks = max(self._last + 1, round(time / _CLOCK))
        self._last, self._step = ticks, ticks - self._last
        frame.pts, frame.time_base = self._last, _CLOCK
        if self._sound:
            self._file.mux(list(self._sound.until(time)))
        self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: the disk is full.
        """
        try:
            if self._size is not None:
                if self._sound:
                    end = float((self._last + self._step) * _CLOCK)
                    self._file.mux(list(self._sound.until(end)))
                self._file.mux(self._stream.encode())
        finally:
            if self._sound:
                self._sound.close()
            self._file.close()

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except OSError:
            if error is None:
                raise

    def _begin(self, image: np.ndarray) -> tuple[int, int]:
        """Settle how it is encoded; return the height and width of its pictures."""
        height, width = image.shape[:2]
        stream = self._stream
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = 'yuv420p'
        context = stream.codec_context
        context.time_base = _CLOCK
        # Of uneven times that are written in another order, FFmpeg's MP4 hides the last.
        context.max_b_frames = 0
        # Players guess by the size otherwise, and colours shift.
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        return height, width


class _Sound:
    """The packets of a video's sound, each when its time comes.

    Attributes:
        refused: why there is none, a sentence; empty if there is sound, or none to copy.
    """

    def __init__(self, path: str, into: 'OutputContainer') -> None:
        self.refused = ''
        self._file: InputContainer = load_av().open(path)
        self._packets: Iterator[Packet] = iter(())
        self._waiting: Packet | None = None
        if not self._file.streams.audio:
            return
        sound = self._file.streams.audio[0]
        name = sound.codec_context.name
        if not name.startswith(_SOUND):
            self.refused = f'{path}: its sound is {name}, which MP4 does not take; it is left out'
            return
        self._begin = (self._file.start_time or 0) / load_av().time_base
        self._stream = into.add_stream_from_template(sound)
        self._packets = self._in_mp4(sound)
        self._waiting = next(self._packets, None)

    def until(self, time: float) -> 'Iterator[Packet]':
        """Yield what begins before a time in seconds."""
        while self._waiting is not None:
            packet = self._waiting
            if packet.dts is not None and packet.dts * packet.time_base > time:
                return
            packet.stream = self._stream
            yield packet
            self._waiting = next(self._packets, None)

    def close(self) -> None:
        """Close the video that it comes from."""
        self._file.close()

    def _in_mp4(self, sound: 'AudioStream') -> 'Iterator[Packet]':
        """Yield packets as MP4 takes them, from time 0; after a broken one there is no more."""
        av = load_av()
        # In a transport stream each packet of AAC says how to decode it, in MP4 the header does.
        says_itself = sound.codec_context.name == 'aac' and not sound.codec_context.extradata
        change = av.BitStreamFilterContext('aac_adtstoasc', sound) if says_itself else None
        clock, last = Clock(0.02), None
        with suppress(av.error.FFmpegError):
            for packet in self._file.demux(sound):
                if packet.dts is None or packet.pts is None:
                    return
                now = clock.at(float(packet.dts * packet.time_base)) - self._begin
                shift = packet.dts - round(now / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                if last is not None and packet.dts <= last:
                    continue  # MP4 has no two at one time
                last = packet.dts
                yield from change.filter(packet) if change else [packet]


def _is_there(codec: str) -> bool:
    try:
        load_av().codec.Codec(codec, 'w')
    except ValueError:  # PyAV's UnknownCodecError is one
        return False
    return True
