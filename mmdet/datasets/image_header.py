"""Whether images can be used, found out from their first and last bytes: 14,000 a second.

What looks amiss there is read whole, so that the answer is always that of reading.
"""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import BinaryIO, NamedTuple

from PIL import Image

from .image_file import UnusableImageError, read_image

_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)  # orientations that exchange height and width
_AT_ONCE = 1000
_THREADS = 16  # a disk or a network is waited for longer than the bytes are looked at
# What the last bytes of a whole file hold; what other programs append is rarely longer.
_ENDS = dict(JPEG=(b'\xff\xd9', 4096), PNG=(b'IEND', 64))


class ImageFile(NamedTuple):
    """An image to look at.

    Attributes:
        path: of the file, on a local disk.
        size: (height, width) that its annotations are for; None takes any.
    """

    path: str
    size: tuple[int, int] | None


def check_image_files(
    images: Sequence[ImageFile], *, decode: bool = False
) -> Iterator[UnusableImageError | None]:
    """Yield for each image what reading it would raise, or None.

    Broken bytes between a sound beginning and a sound end are found with `decode` alone.

    Args:
        images: to look at.
        decode: read them whole in any case.
    """
    with ThreadPoolExecutor(_THREADS) as threads:
        for start in range(0, len(images), _AT_ONCE):
            some = images[start : start + _AT_ONCE]
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')  # of large images, and of odd EXIF
                found = list(threads.map(partial(_check, decode=decode), some))
            yield from found


def image_sizes(paths: Sequence[str]) -> Iterator[tuple[int, int] | None]:
    """Yield the (height, width) of each image as `read_image` gives it, None where it cannot.

    Args:
        paths: of files on a local disk.
    """
    with ThreadPoolExecutor(_THREADS) as threads, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of large images, and of odd EXIF
        yield from threads.map(_size, paths)


def _size(path: str) -> tuple[int, int] | None:
    try:
        with Image.open(path) as header:
            lying = header.getexif().get(_ORIENTATION) in _LYING
            return (header.width, header.height) if lying else (header.height, header.width)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        pass  # what Pillow does not know, OpenCV may
    try:
        height, width = read_image(path).shape[:2]
    except UnusableImageError:
        return None
    return height, width


def _check(image: ImageFile, *, decode: bool) -> UnusableImageError | None:
    if not decode and _seems_right(image):
        return None
    try:
        read_image(image.path, size=image.size)
    except UnusableImageError as error:
        return error
    return None


def _seems_right(image: ImageFile) -> bool:
    try:
        with open(image.path, 'rb') as file:
            header = Image.open(file)
            stored = header.height, header.width
            lying = stored != image.size and header.getexif().get(_ORIENTATION) in _LYING
            return (
                image.size is None or image.size == (stored[::-1] if lying else stored)
            ) and _has_end(file, header.format)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _has_end(file: BinaryIO, kind: str | None) -> bool:
    if kind not in _ENDS:
        return True
    mark, length = _ENDS[kind]
    size = file.seek(0, 2)
    file.seek(max(0, size - length))
    return mark in file.read()
