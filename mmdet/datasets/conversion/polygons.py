"""Masks as polygons, which decode to the same pixels.

Shape letters: n points of a polygon. Points are (x, y) in pixels.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.structures.outlines import join, trace
from mmdet.structures.segmentation import Segmentation, as_rle, decode_segmentation

MIN_IOU = 0.99
"""What a mask in another format has in common with the original, at least; or it is said."""

_TOLERANCES = (0.75, 0.4)  # pixels; below half of one the mask stays exactly the same


def one_polygon(segmentation: Segmentation, height: int, width: int) -> Iterator[np.ndarray]:
    """Yield polygons for all of a mask, from the plainest to the most exact; see `join`.

    Args:
        segmentation: COCO's.
        height: of the image in pixels.
        width: of the image in pixels.

    Returns:
        (n, 2) float64, within the image.
    """
    if isinstance(segmentation, list):
        parts = [np.array(part, float).reshape(-1, 2) for part in segmentation]
        yield np.clip(join(parts), 0, (width, height))
    mask = decode_segmentation(segmentation, height, width)
    for tolerance in _TOLERANCES:
        outlines = [join(part) for part in trace(mask, tolerance=tolerance)]
        if outlines:
            yield join(outlines).astype(float)


def polygon_parts(rle: Segmentation, height: int, width: int) -> list[np.ndarray] | None:
    """Return a polygon for each part of a mask that is given as RLE.

    Args:
        rle: COCO's.
        height: of the image in pixels.
        width: of the image in pixels.

    Returns:
        (n, 2) float64 each; None where no such polygons are the mask, as it has a hole.
    """
    mask = decode_segmentation(rle, height, width)
    for tolerance in _TOLERANCES:
        parts = trace(mask, tolerance=tolerance)
        if any(len(outlines) > 1 for outlines in parts):
            return None
        polygons = [outline.astype(float) for outline, *_ in parts]
        if polygons and overlap(rle, polygons, height, width) >= MIN_IOU:
            return polygons
    return None


def has_hole(rle: Segmentation, height: int, width: int) -> bool:
    """Return whether pixels of a mask that is given as RLE lie around others."""
    parts = trace(decode_segmentation(rle, height, width), tolerance=0.0)
    return any(len(outlines) > 1 for outlines in parts)


def overlap(
    segmentation: Segmentation, polygons: list[np.ndarray], height: int, width: int
) -> float:
    """Return the IoU of a mask and of what polygons decode to; 1 where both have no pixel.

    Args:
        segmentation: COCO's.
        polygons: (n, 2) each, n at least 3.
        height: of the image in pixels.
        width: of the image in pixels.
    """
    flat = [list(chain.from_iterable(polygon.tolist())) for polygon in polygons]
    rles = [as_rle(each, height, width) for each in (segmentation, flat)]
    if not any(coco_mask.area(rles)):
        return 1.0
    return float(coco_mask.iou(rles[:1], rles[1:], [0])[0, 0])
