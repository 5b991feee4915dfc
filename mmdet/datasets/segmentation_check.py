"""Whether a segmentation can be decoded, before pycocotools meets it.

pycocotools trusts what it is given: NaN in a polygon makes it run for ever, a coordinate of 1e9
takes all memory, a list of four numbers is a box to it, and run lengths of another size are
decoded at that size.
"""

import json
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.structures.segmentation import Segmentation, run_lengths

Extent = tuple[float, float, float, float]
"""x1, y1, x2, y2 around a mask, in pixels."""


NO_NUMBERS = 'with polygons whose coordinates are not all numbers'


class UnusableMaskError(Exception):
    """Why a segmentation is no mask, to be read behind a number of annotations."""


class CheckedMask(NamedTuple):
    """A segmentation that can be decoded.

    Attributes:
        segmentation: what pycocotools decodes.
        extent: around the mask; of polygons it may reach over the image's border.
        repair: what had to be repaired.
    """

    segmentation: Segmentation
    extent: Extent
    repair: str | None = None


def check_segmentation(segmentation: object, height: int, width: int) -> CheckedMask:
    """Check that a segmentation can be decoded.

    Args:
        segmentation: polygons `[[x1, y1, x2, y2, ...], ...]` in pixels, also one polygon without
            the outer list, or RLE, `dict(size=[h, w], counts=...)`, compressed or not.
        height: of the image in pixels.
        width: of the image in pixels.

    Raises:
        UnusableMaskError: it cannot be decoded, or is no mask within the image.

    Examples:
        >>> check_segmentation([[1, 1, 9, 1, 9, 5]], height=10, width=20).extent
        (1, 1, 9, 5)
    """
    if not segmentation:
        raise UnusableMaskError('without a mask')
    if isinstance(segmentation, str):
        checked = check_segmentation(_parsed(segmentation), height, width)
        return checked._replace(repair='with masks written as text')
    if isinstance(segmentation, list):
        return _check_polygons(segmentation, height, width)
    if isinstance(segmentation, dict) and 'counts' in segmentation:
        return _check_run_lengths(segmentation, height, width)
    raise UnusableMaskError('whose segmentation is neither polygons nor RLE')


def _parsed(text: str) -> object:
    """Return what a JSON text holds that was put into JSON as a text; no text again."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list | dict):
        raise UnusableMaskError('whose segmentation is neither polygons nor RLE')
    return found


def _check_polygons(polygons: list, height: int, width: int) -> CheckedMask:
    repair = None
    if isinstance(polygons[0], (int, float)):
        polygons, repair = [polygons], 'polygons without their outer list'
    whole: list[list[float]] = []
    extents: list[Extent] = []
    try:
        for part in polygons:
            if len(part) < 6 or len(part) % 2:
                continue
            # A sum is the quickest to find text, lists and NaN among the coordinates.
            if not math.isfinite(sum(part)):
                raise UnusableMaskError(NO_NUMBERS)
            x, y = part[0::2], part[1::2]
            whole.append(part)
            extents.append((min(x), min(y), max(x), max(y)))
    except (TypeError, OverflowError):
        raise UnusableMaskError(NO_NUMBERS) from None
    if not whole:
        raise UnusableMaskError('with polygons of fewer than three points, or half a point')
    if len(whole) < len(polygons):
        polygons, repair = whole, 'polygons with parts of fewer than three points, or half a point'
    extent = extents[0] if len(extents) == 1 else _around(extents)
    x1, y1, x2, y2 = extent
    if x2 < 0 or y2 < 0 or x1 > width or y1 > height:
        raise UnusableMaskError('whose polygons lie outside of their image')
    if x1 < -width or y1 < -height or x2 > 2 * width or y2 > 2 * height:
        raise UnusableMaskError("whose polygons reach a whole image's size out of their image")
    return CheckedMask(polygons, extent, repair)


def _around(extents: Sequence[Extent]) -> Extent:
    x1, y1, x2, y2 = zip(*extents, strict=True)
    return min(x1), min(y1), max(x2), max(y2)


def _check_run_lengths(rle: dict, height: int, width: int) -> CheckedMask:
    if rle.get('size') != [height, width]:
        raise UnusableMaskError('with RLE of another size than the image')
    counts = rle['counts']
    if isinstance(counts, str):
        lengths = compressed_counts(counts.encode()).tolist()
    elif isinstance(counts, list) and all(type(count) is int for count in counts):
        lengths = counts
    else:
        raise UnusableMaskError('with RLE whose counts are no whole numbers')
    if min(lengths, default=-1) < 0 or sum(lengths) != height * width:
        raise UnusableMaskError('with RLE whose counts do not add up to the image')
    rle = dict(size=[height, width], counts=counts)
    plain = coco_mask.frPyObjects(rle, height, width) if isinstance(counts, list) else rle
    x, y, box_width, box_height = coco_mask.toBbox(plain).tolist()
    if not box_width:
        raise UnusableMaskError('with RLE without a pixel')
    return CheckedMask(rle, (x, y, x + box_width, y + box_height))


def compressed_counts(text: bytes) -> np.ndarray:
    """Return the run lengths in COCO's compressed string; see `run_lengths`.

    Raises:
        UnusableMaskError: it is no such string.
    """
    digits = np.frombuffer(text, np.uint8).astype(np.int64) - ord('0')
    last = digits < 32
    if not len(digits) or digits.min() < 0 or digits.max() > 63 or not last[-1]:
        raise UnusableMaskError('with RLE whose counts are no string of COCO')
    ends = np.flatnonzero(last)
    longest = max(ends[0] + 1, (ends[1:] - ends[:-1]).max(initial=0))
    if longest > 7:  # beyond the 32 bits of a length
        raise UnusableMaskError('with RLE whose counts are no string of COCO')
    return run_lengths(text)
