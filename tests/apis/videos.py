"""Videos and pictures for the tests of what reads them, and a model that finds what is in them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np


def scene(number: int, *, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """Return a BGR picture that tells which it is: a red square moves 2 pixels a frame."""
    image = np.full((*size, 3), 40, np.uint8)
    left = 2 * number % (size[1] - 24)
    image[36:60, left : left + 24] = (0, 0, 255)
    image[:12, :12] = 255  # the corner that tells which way is up
    return image


def write_pictures(folder: Path, names: Sequence[str]) -> list[str]:
    """Write a scene for each name; return the paths."""
    paths = [folder / name for name in names]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), scene(number))
    return [str(path) for path in paths]


def write_video(
    path: Path,
    times: Sequence[int],
    *,
    size: tuple[int, int] = (96, 128),
    sound: str | None = None,
    codec: str = 'libx264',
    gop_size: int = 12,
    index_first: bool = False,
    begin: int = 0,
    end: int | None = None,
    clock: int = 1000,
) -> Path:
    """Write a video whose frames are shown at these times in milliseconds, by PyAV.

    Its sound, if any, begins at `begin` and ends at `end`, by default with the last frame. The
    clock ticks so often a second.
    """
    import av

    options = {'movflags': 'faststart'} if index_first else {}
    with av.open(str(path), 'w', options=options) as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], 'yuv420p'
        stream.gop_size = gop_size
        stream.codec_context.time_base = Fraction(1, clock)
        audio = container.add_stream(sound, rate=44100) if sound else None
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(scene(number, size=size), format='bgr24')
            frame.pts, frame.time_base = time * clock // 1000, Fraction(1, clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if audio is not None:
            for number in range(begin * 44 // 1024, (end or times[-1]) * 44 // 1024):
                wave = np.sin(np.arange(1024) * 0.06 + number, dtype=np.float32)[None] / 3
                block = av.AudioFrame.from_ndarray(wave, format='fltp', layout='mono')
                block.sample_rate, block.pts = 44100, number * 1024
                container.mux(audio.encode(block))
            container.mux(audio.encode())
    return path


def break_frames(path: Path, numbers: Sequence[int]) -> Path:
    """Overwrite the data of some of a video's packets, counted as they are stored."""
    import av

    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number in numbers:
        position, size = packets[number]
        content[position : position + size] = b'\xff' * size
    path.write_bytes(content)
    return path


def turn(path: Path) -> Path:
    """Mark an MP4 as filmed with the telephone upright: to be turned clockwise by 90 degrees."""
    content = path.read_bytes()
    one, minus, last = (1 << 16).to_bytes(4), (-(1 << 16)).to_bytes(4, signed=True), b'\x40\0\0\0'
    none = bytes(4)
    upright = one + none * 3 + one + none * 3 + last
    turned = none + one + none + minus + none * 4 + last
    begin = content.index(upright, content.index(b'tkhd'))
    path.write_bytes(content[:begin] + turned + content[begin + len(turned) :])
    return path
