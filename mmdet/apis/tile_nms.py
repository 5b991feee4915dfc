"""One Matrix NMS over what was found in several tiles of an image.

It is that of `mmdet.ops.matrix_nms`, with three differences, because tiles see parts:

- What one tile found has been compared within it, and is not again.
- Two masks are compared where both could have been drawn: of the better one only what lies in the
  other's tile. A part of an object is so found to be the same as the whole.
- A mask that an edge between tiles cuts comes after those that are whole, whatever it scores.

Shape letters: N instances of all tiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.structures import RLEMasks


@dataclass(frozen=True)
class Found:
    """The n instances of one tile, in the image's pixels.

    Attributes:
        scores: (n,) in [0, 1].
        labels: (n,) class indices.
        bboxes: (n, 4) xyxy around the masks.
        masks: at the image's size.
        tile: xyxy box.
        cut: (n,) whether a mask touches an edge of the tile within the image.
    """

    scores: np.ndarray
    labels: np.ndarray
    bboxes: np.ndarray
    masks: RLEMasks
    tile: tuple[int, int, int, int]
    cut: np.ndarray


def decayed_scores(
    found: Sequence[Found], *, kernel: str = 'gaussian', sigma: float = 2.0
) -> np.ndarray:
    """Return the (N,) decayed scores of the instances of all tiles, in their order.

    Args:
        found: of each tile.
        kernel: as in `matrix_nms`.
        sigma: likewise.
    """
    scores = np.concatenate([each.scores for each in found])
    labels = np.concatenate([each.labels for each in found])
    bboxes = np.concatenate([each.bboxes for each in found])
    cut = np.concatenate([each.cut for each in found])
    owner = np.repeat(np.arange(len(found)), [len(each.scores) for each in found])
    rles = [rle for each in found for rle in each.masks.rles]
    order = np.lexsort((-scores, cut))
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    # How much each is itself suppressed compensates what it does to others.
    compensation = np.zeros(len(scores))
    decay = np.ones(len(scores))
    for this in order:
        tile = found[owner[this]].tile
        others = np.flatnonzero(
            (rank < rank[this])
            & (labels == labels[this])
            & (owner != owner[this])
            & _meet(bboxes, bboxes[this])
        )
        if not len(others):
            continue
        seen = _clipped([rles[other] for other in others], bboxes[others], tile)
        ious = coco_mask.iou(seen, [rles[this]], [0])[:, 0]
        compensation[this] = ious.max()
        decay[this] = min(1, _decay(ious, compensation[others], kernel, sigma).min())
    return (scores * decay).astype(scores.dtype)


def _meet(bboxes: np.ndarray, bbox: np.ndarray) -> np.ndarray:
    return np.all((bboxes[:, :2] < bbox[2:]) & (bbox[:2] < bboxes[:, 2:]), axis=1)


def _clipped(
    rles: Sequence[dict], bboxes: np.ndarray, tile: tuple[int, int, int, int]
) -> list[dict]:
    """Return masks without what lies out of a tile."""
    x1, y1, x2, y2 = tile
    within = np.all((bboxes[:, :2] >= (x1, y1)) & (bboxes[:, 2:] <= (x2, y2)), axis=1)
    size = rles[0]['size']
    box = np.array([[x1, y1, x2 - x1, y2 - y1]], float)
    (area,) = coco_mask.frPyObjects(box, *size)
    return [
        rle if is_within else coco_mask.merge([rle, area], intersect=True)
        for rle, is_within in zip(rles, within, strict=True)
    ]


def _decay(ious: np.ndarray, compensation: np.ndarray, kernel: str, sigma: float) -> np.ndarray:
    if kernel == 'gaussian':
        return np.exp(-sigma * (ious**2 - compensation**2))
    return (1 - ious) / np.maximum(1 - compensation, np.finfo(float).tiny)
