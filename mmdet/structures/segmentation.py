"""COCO's ways of writing a mask: polygons and run lengths, from and to bitmaps."""

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
        return coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    if isinstance(segmentation['counts'], list):
        return coco_mask.frPyObjects(segmentation, height, width)
    return segmentation


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
