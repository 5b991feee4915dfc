"""Which detections of an image find an object, by COCO's rules.

They are those of `COCOeval.evaluateImg` in pycocotools, for all ranges of area and all IoU
thresholds at a time. Images have nothing to do with each other, so this is done when an image is
evaluated, and of its masks nothing stays: what COCO's figures follow from is some 30 bytes for a
detection, `rows_type`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.structures.segmentation import areas_of

from .truth import AREAS, ImageTruth, outside

Metric = Literal['segm', 'bbox']
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""COCO's, over which its AP is the mean."""


@dataclass(frozen=True)
class Detections:
    """What was found in an image.

    Attributes:
        scores: (N,) float64.
        labels: (N,) int64.
        rles: the N masks.
    """

    scores: np.ndarray
    labels: np.ndarray
    rles: Sequence[dict]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, indices: np.ndarray) -> 'Detections':
        rles = [self.rles[index] for index in indices.tolist()]
        return Detections(self.scores[indices], self.labels[indices], rles)


def detections_of(
    scores: Sequence[float], labels: Sequence[int], rles: Sequence[dict]
) -> Detections:
    """Return detections of which scores and labels are plain numbers."""
    return Detections(np.array(scores, np.float64), np.array(labels, np.int64), rles)


def rows_type(thresholds: int) -> np.dtype:
    """Return what is kept of a detection.

    `rank` counts the detections of its class in its image that have higher scores. `matched` and
    `ignored` have a bit for each of `AREAS` and each threshold: the detection finds an object; it
    counts neither as right nor as wrong.

    Args:
        thresholds: the number of IoU thresholds.
    """
    size = (-(-len(AREAS) * thresholds // 8),)
    return np.dtype(
        [
            ('score', 'f8'),
            ('label', 'i4'),
            ('rank', 'u2'),
            ('matched', 'u1', size),
            ('ignored', 'u1', size),
        ]
    )


def match(
    found: Detections,
    truth: ImageTruth,
    metric: Metric,
    *,
    thresholds: np.ndarray,
    max_detections: int,
) -> np.ndarray:
    """Return the rows of an image's detections, `rows_type`, from the highest score on.

    As in COCO's results, the size of a detection is the area of what is measured: mask or box.

    Args:
        found: the detections.
        truth: what there is to find.
        metric: by masks or by boxes.
        thresholds: (T,) of the IoU, from which on an object is found.
        max_detections: of a class, that count in an image.
    """
    found, ranks = those_that_count(found, truth, max_detections)
    if metric == 'segm':
        regions, areas = found.rles, areas_of(found.rles)
    else:
        regions = np.array(coco_mask.toBbox(found.rles), np.float64).reshape(-1, 4)
        areas = regions[:, 2] * regions[:, 3]

    # (N, A, T): what finds nothing is wrong, unless it is of another size, or may be right
    matched = np.zeros((len(found), len(AREAS), len(thresholds)), bool)
    ignored = np.zeros_like(matched)
    ignored |= (outside(areas) | np.isin(found.labels, truth.not_exhaustive)).T[..., None]
    objects_ignored = truth.ignored
    for label in np.intersect1d(found.labels, truth.labels):
        mine, objects = np.flatnonzero(found.labels == label), np.flatnonzero(truth.labels == label)
        crowd = truth.crowd[objects]
        sought = truth.rles(objects) if metric == 'segm' else truth.boxes[objects]
        some = [regions[index] for index in mine.tolist()]
        ious = coco_mask.iou(some, sought, crowd.astype(int).tolist())
        need_not = objects_ignored[:, objects]
        taken = match_objects(ious, crowd, need_not, thresholds)
        matched[mine] = taken >= 0
        of_ignored = need_not[np.arange(len(AREAS))[:, None], taken]
        ignored[mine] = np.where(taken >= 0, of_ignored, ignored[mine])

    rows = np.empty(len(found), rows_type(len(thresholds)))
    rows['score'], rows['label'], rows['rank'] = found.scores, found.labels, ranks
    for name, bits in (('matched', matched), ('ignored', ignored)):
        rows[name] = np.packbits(bits.reshape(len(found), len(AREAS) * len(thresholds)), axis=1)
    return rows


def those_that_count(
    found: Detections, truth: ImageTruth, max_detections: int
) -> tuple[Detections, np.ndarray]:
    """Return the detections that count, from the highest score on, and their ranks, (N,).

    A rank is how many of the same class in the image have higher scores.

    Args:
        found: in an image.
        truth: of the image.
        max_detections: of a class, that count in an image.
    """
    found = found[np.argsort(-found.scores, kind='stable')]
    ranks = _ranks(found.labels)
    counts = ranks < max_detections
    if truth.looked_for is not None:
        counts &= np.isin(found.labels, truth.looked_for)
    return found[np.flatnonzero(counts)], ranks[counts]


def match_objects(
    ious: np.ndarray, crowd: np.ndarray, ignored: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Return which of G objects in an image each of N detections takes, (N, A, T), or -1.

    From the highest score on, each takes the object of the largest IoU that is not taken yet, the
    last of several, and one that is ignored only if no other is left; a crowd stays free.

    Args:
        ious: (N, G), from the highest score on; below 0 where the classes differ.
        crowd: (G,) bool.
        ignored: (A, G) bool, for each range of areas: which objects need not be found.
        thresholds: (T,) of the IoU.
    """
    objects = np.full((len(ious), len(ignored), len(thresholds)), -1)
    limits = np.minimum(thresholds, 1 - 1e-10)[:, None]  # as pycocotools
    free = np.ones((len(ignored), len(thresholds), len(crowd)), bool)
    for index in np.flatnonzero((ious >= limits.min()).any(1)):
        possible = free & (ious[index] >= limits)
        regular = possible & ~ignored[:, None]
        possible = np.where(regular.any(2, keepdims=True), regular, possible)
        taken = possible.any(2)
        backwards = np.where(possible, ious[index], -1)[..., ::-1]
        best = len(crowd) - 1 - backwards.argmax(2)
        objects[index] = np.where(taken, best, -1)
        area, threshold = taken.nonzero()
        free[area, threshold, best[taken]] = crowd[best[taken]]
    return objects


def _ranks(labels: np.ndarray) -> np.ndarray:
    """Return how many of the same label stand before each of (N,) labels.

    Examples:
        >>> _ranks(np.array([3, 5, 3, 3, 5])).tolist()
        [0, 0, 1, 2, 1]
    """
    order = labels.argsort(kind='stable')
    ordered = labels[order]
    ranks = np.empty(len(labels), np.int64)
    ranks[order] = np.arange(len(labels)) - np.searchsorted(ordered, ordered)
    return ranks
