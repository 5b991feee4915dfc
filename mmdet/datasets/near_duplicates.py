"""Images that are nearly the same: scaled, compressed again, or the next frame of a video.

An image is known by a perceptual hash of 64 bits: the signs of the lowest frequencies of its
brightness, which neither size nor compression changes much. Hashes that differ in a few bits are
found without comparing all with all: of seven different bits at most one lies in some quarter of
the hash, so whoever has a twin has one with that quarter the same but for a bit. What is found so
is looked at again, in colour and as large as a thumbnail.

Cropped, mirrored and turned images are other images here.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

MAX_DISTANCE = 7
"""Bits in which the hashes of nearly the same images differ at most."""
_SIDE = 32  # of the brightness that is transformed
_LOOK = 64  # of the colours that are compared
_LIKENESS = 0.97
_MAX_DIFFERENCE = 12.0  # on average, of 255, where the two may be of another brightness
_FLAT = 2.0  # standard deviation of the brightness, of 255, below which there is nothing to compare
_AT_ONCE = 1 << 20  # pairs that are compared together
_THREADS = 4
# By how many times the smallest side of a JPEG may be reduced while it is decoded, of the largest
# number of pixels that leaves enough.
_REDUCED = (
    (8 * 2 * _LOOK, cv2.IMREAD_REDUCED_COLOR_8),
    (4 * 2 * _LOOK, cv2.IMREAD_REDUCED_COLOR_4),
    (2 * 2 * _LOOK, cv2.IMREAD_REDUCED_COLOR_2),
)


class Twins(NamedTuple):
    """Two images that are nearly the same.

    Attributes:
        one: index of an image of the first set.
        other: index of an image of the second set.
        distance: bits in which their hashes differ.
    """

    one: int
    other: int
    distance: int


def hash_images(paths: Sequence[str], sizes: Sequence[tuple[int, int]]) -> Iterator[int | None]:
    """Yield the hash of each image; None of one that cannot be read, or that is one colour.

    Args:
        paths: of files on a local disk.
        sizes: (height, width) of each, by which as little as is needed is decoded.
    """
    with ThreadPoolExecutor(_THREADS) as threads:
        yield from threads.map(_hash_file, paths, sizes)


def perceptual_hash(image: np.ndarray) -> int | None:
    """Return the 64-bit hash of a (h, w, 3) BGR image; None if it has nothing to be known by."""
    grey = cv2.cvtColor(_resized(image, _SIDE), cv2.COLOR_BGR2GRAY).astype(np.float32)
    if grey.std() < _FLAT:
        return None
    # The lowest says how bright the image is, which is not looked at.
    frequencies = cv2.dct(grey)[:8, :8].ravel()
    bits = frequencies > np.median(frequencies[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), 'big')


def find_twins(
    ones: Sequence[int | None], others: Sequence[int | None], *, max_distance: int = MAX_DISTANCE
) -> list[Twins]:
    """Return for each hash of the first set the nearest one of the second, where it is near.

    Args:
        ones: hashes; None is near to nothing.
        others: likewise.
        max_distance: bits in which they differ at most, not above 7.

    Examples:
        >>> find_twins([0b1111, 1 << 63], [0, 0b1101])
        [Twins(one=0, other=1, distance=1), Twins(one=1, other=0, distance=1)]
    """
    if max_distance > MAX_DISTANCE:
        raise ValueError(f'hashes that differ in more than {MAX_DISTANCE} bits are not all found')
    (where_one, one), (where_other, other) = _known(ones), _known(others)
    nearest = np.full(len(one), 64, np.int64)
    twin = np.zeros(len(one), np.int64)
    for quarter in range(4):
        first, second = _quarter(one, quarter), _quarter(other, quarter)
        order = np.argsort(second, kind='stable')
        second = second[order]
        for flip in (0, *(1 << bit for bit in range(16))):
            begin = np.searchsorted(second, first ^ flip, 'left')
            number = np.searchsorted(second, first ^ flip, 'right') - begin
            for which, place in _pairs(begin, number):
                _take_nearer(nearest, twin, one, other, which, order[place])
    return [
        Twins(int(where_one[i]), int(where_other[twin[i]]), int(nearest[i]))
        for i in np.flatnonzero(nearest <= max_distance)
    ]


def are_alike(one: str, other: str) -> bool:
    """Return whether the images of two files are nearly the same, looked at in colour."""
    first, second = _thumbnail(one), _thumbnail(other)
    if first is None or second is None:
        return False
    (ratio, first), (other_ratio, second) = first, second
    if not 0.95 < ratio / other_ratio < 1.05:
        return False
    first, second = first - first.mean(), second - second.mean()
    strength = np.sqrt((first**2).mean() * (second**2).mean())
    likeness = (first * second).mean() / max(strength, 1e-6)
    return likeness >= _LIKENESS and np.abs(first - second).mean() <= _MAX_DIFFERENCE


def _hash_file(path: str, size: tuple[int, int]) -> int | None:
    image = _read(path, size)
    return None if image is None else perceptual_hash(image)


def _read(path: str, size: tuple[int, int] | None = None) -> np.ndarray | None:
    flag = next((flag for side, flag in _REDUCED if size and min(size) >= side), cv2.IMREAD_COLOR)
    try:
        return cv2.imdecode(np.fromfile(path, np.uint8), flag)
    except (OSError, cv2.error):  # cv2's of an empty file, or of too many pixels
        return None


@lru_cache(256)
def _thumbnail(path: str) -> tuple[float, np.ndarray] | None:
    """Return an image's width over its height, and its colours, (64, 64, 3) float32."""
    image = _read(path)
    if image is None:
        return None
    return image.shape[1] / image.shape[0], _resized(image, _LOOK).astype(np.float32)


def _resized(image: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def _known(hashes: Sequence[int | None]) -> tuple[np.ndarray, np.ndarray]:
    where = [index for index, each in enumerate(hashes) if each is not None]
    return np.array(where, int), np.array([hashes[index] for index in where], np.uint64)


def _bits(numbers: np.ndarray) -> np.ndarray:
    """Return how many bits of each of (N,) uint64 are set."""
    return np.unpackbits(numbers.view(np.uint8).reshape(-1, 8), axis=1).sum(1, dtype=np.int64)


def _quarter(hashes: np.ndarray, number: int) -> np.ndarray:
    return (hashes >> np.uint64(16 * number)).astype(np.int64) & 0xFFFF


def _pairs(begin: np.ndarray, number: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield indices, and for each a place from `begin` on, `number` of them, not all at once."""
    ends = number.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, _AT_ONCE):
        pair = np.arange(start, min(start + _AT_ONCE, total))
        which = np.searchsorted(ends, pair, 'right')
        yield which, begin[which] + pair - (ends[which] - number[which])


def _take_nearer(
    nearest: np.ndarray,
    twin: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    which: np.ndarray,
    candidate: np.ndarray,
) -> None:
    """Write into `nearest` and `twin` what candidates are nearer than those that are there."""
    distance = _bits(one[which] ^ other[candidate])
    # Of several the nearest comes first, and of these the first.
    order = np.lexsort((candidate, distance, which))
    first = np.unique(which[order], return_index=True)[1]
    chosen = order[first]
    chosen = chosen[distance[chosen] < nearest[which[chosen]]]
    nearest[which[chosen]] = distance[chosen]
    twin[which[chosen]] = candidate[chosen]
