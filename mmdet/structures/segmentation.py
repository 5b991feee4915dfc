"""COCO's ways of writing a mask: polygons and run lengths, from and to bitmaps."""

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

from .outlines import trace

MIN_POLYGON_IOU = 0.95

Segmentation = list[list[float]] | dict
"""Polygons `[[x1, y1, x2, y2, ...], ...]` in pixels, or `dict(size=[h, w], counts=...)`."""


def decode_segmentation(segmentation: Segmentation, height: int, width: int) -> np.ndarray:
    """Return the (height, width) uint8 bitmap of a COCO segmentation.

    Args:
        segmentation: polygons `[[x1, y1, x2, y2, ...], ...]` in pixels, RLE with a list of
            counts, or RLE with COCO's compressed string.
        height: of the image in pixels.
        width: of the image in pixels.
    """
    return coco_mask.decode(as_rle(segmentation, height, width))


def as_rle(segmentation: Segmentation, height: int, width: int) -> dict:
    """Return a COCO segmentation as compressed RLE; see `decode_segmentation`."""
    if isinstance(segmentation, list):
        rles = coco_mask.frPyObjects(segmentation, height, width)
        return rles[0] if len(rles) == 1 else coco_mask.merge(rles)
    if isinstance(segmentation['counts'], list):
        return coco_mask.frPyObjects(segmentation, height, width)
    return segmentation


def areas_of(rles: Sequence[dict]) -> np.ndarray:
    """Return the (N,) int64 numbers of pixels of masks in compressed RLE, of any number of them.

    pycocotools 2.0.11 with NumPy 2 takes 255 at once: it writes their number into a byte.
    """
    some = [rles[start : start + 255] for start in range(0, len(rles), 255)]
    return np.concatenate([np.zeros(0, np.int64), *(coco_mask.area(each) for each in some)])


def run_lengths(counts: bytes | str) -> np.ndarray:
    """Return the (K,) int64 run lengths in COCO's compressed string, of zeros and ones in turn.

    Each is written in digits of 5 bits, the lowest first, as characters from `0` on; 32 is added
    to all digits but the last, whose highest bit is the sign. From the fourth on it is not the
    length that is written, but what it differs by from the second last.

    Args:
        counts: as pycocotools or JSON has them; nothing is checked.

    Examples:
        >>> run_lengths(b'52203').tolist()
        [5, 2, 2, 2, 5]
    """
    characters = counts.encode() if isinstance(counts, str) else counts
    digits = np.frombuffer(characters, np.uint8).astype(np.int64) - ord('0')
    ends = np.flatnonzero(digits < 32)
    starts = np.concatenate([[0], ends[:-1] + 1])
    numbers = ends + 1 - starts
    places = np.arange(len(digits)) - starts.repeat(numbers)
    lengths = np.add.reduceat((digits & 31) << 5 * places, starts)
    lengths -= (digits[ends] & 16) << 5 * numbers - 4
    lengths[1::2] = lengths[1::2].cumsum()
    lengths[2::2] = lengths[2::2].cumsum()
    return lengths


def draw_columns(rle: dict) -> tuple[int, np.ndarray]:
    """Draw the columns of a mask that have pixels, and none of those before and after them.

    Args:
        rle: of an image of height H, compressed.

    Returns:
        Where the first of these columns lies in the image, and all of them, (columns, H) uint8.
    """
    height = rle['size'][0]
    lengths = run_lengths(rle['counts'])
    edges = lengths.cumsum()[: len(lengths) // 2 * 2]  # where runs of ones begin and end in turn
    if not len(edges):
        return 0, np.zeros((0, height), np.uint8)
    first, last = edges[0] // height, -(-edges[-1] // height)
    lengths[0] -= first * height
    lengths[len(edges) :] = last * height - edges[-1]
    ones = (np.arange(len(lengths)) & 1).astype(np.uint8)
    return int(first), ones.repeat(lengths).reshape(-1, height)


def json_rle(rle: dict) -> dict:
    """Return COCO's RLE with its counts as text, as JSON holds it.

    Examples:
        >>> json_rle(dict(size=[1, 2], counts=b'02'))
        {'size': [1, 2], 'counts': '02'}
    """
    height, width = rle['size']
    return dict(size=[int(height), int(width)], counts=rle['counts'].decode())


def encode_mask(mask: np.ndarray) -> Segmentation:
    """Write a mask (h, w) of 0 and 1 as COCO polygons, or as run lengths where those would lie.

    COCO's polygons cannot have holes, describe masks of a few pixels badly, and none at all mean
    that a mask is missing, where run lengths can say that it is empty.
    """
    polygons = _trace(mask)
    if polygons:
        decoded = decode_segmentation(polygons, *mask.shape)
        union = np.count_nonzero(mask | decoded)
        if np.count_nonzero(mask & decoded) >= MIN_POLYGON_IOU * union:
            return polygons
    return _run_lengths(mask)


def _trace(mask: np.ndarray) -> list[list[float]]:
    """Simplified outlines of a mask's parts; none at all if it has a hole, or is empty."""
    parts = trace(mask, tolerance=0.75)
    if any(len(outlines) > 1 for outlines in parts):
        return []
    return [outline.ravel().tolist() for outline, *_ in parts]


def _run_lengths(mask: np.ndarray) -> dict[str, list[int]]:
    """Uncompressed COCO run lengths: down the columns, zeros and ones in turn, zeros first."""
    pixels = mask.ravel(order='F')
    changes = np.flatnonzero(np.diff(pixels, prepend=0))
    runs = np.diff(changes, prepend=0, append=pixels.size)
    return {'size': list(mask.shape), 'counts': runs.tolist()}
