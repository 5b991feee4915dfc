"""Precision at each recall, from what was matched in all images, by COCO's rules.

They are those of `COCOeval.accumulate` in pycocotools, and so are the figures, to a rounding of
doubles: a precision is the number of right detections over that of all, to which pycocotools adds
2e-16.
"""

from collections.abc import Sequence

import numpy as np

RECALLS = np.linspace(0, 1, 101)
"""At which COCO takes the precision."""


def precision_and_recall(
    rows: np.ndarray, objects: np.ndarray, *, thresholds: int, max_detections: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return precision and recall; -1 where there is nothing to find.

    Args:
        rows: (N,) of `rows_type`, those of all images in the images' order. Of equal scores the
            first comes first.
        objects: (C, A) numbers of objects to find, of each class and for each of `AREAS`.
        thresholds: T, the number of IoU thresholds.
        max_detections: M numbers of detections of a class that count in an image.

    Returns:
        The highest precision at each of `RECALLS` or above, (T, 101, C, A), 0 where so much is
        never found; and the recall of all that was found, (T, C, A, M).
    """
    classes, areas = objects.shape
    precision = np.full((thresholds, len(RECALLS), classes, areas), -1.0)
    recall = np.full((thresholds, classes, areas, len(max_detections)), -1.0)
    order = np.lexsort((-rows['score'], rows['label']))
    ends = np.searchsorted(rows['label'][order], np.arange(classes + 1))
    for label in range(classes):
        some = rows[order[ends[label] : ends[label + 1]]]
        for area in np.flatnonzero(objects[label]).tolist():
            number = objects[label, area]
            for threshold in range(thresholds):
                bit = area * thresholds + threshold
                counted = some[~_bit(some['ignored'], bit)]
                right = _bit(counted['matched'], bit)
                precision[threshold, :, label, area] = precision_at_recalls(right, number)
                ranks = counted['rank'][right]
                recall[threshold, label, area] = [
                    np.count_nonzero(ranks < most) / number for most in max_detections
                ]
    return precision, recall


def precision_at_recalls(right: np.ndarray, number: int) -> np.ndarray:
    """Return the (101,) highest precisions at each of `RECALLS` or above; 0 where it is not found.

    Precision is highest, and recall changes, where a detection is right.

    Args:
        right: (N,) bool, which detections are, from the highest score on.
        number: of objects to find, at least 1.

    Examples:
        >>> precision_at_recalls(np.array([True, False, True]), 4)[[0, 25, 26, 50, 51]].round(3)
        array([1.   , 1.   , 0.667, 0.667, 0.   ])
    """
    places = np.flatnonzero(right)
    found = np.arange(1, len(places) + 1)
    highest = np.maximum.accumulate((found / (places + 1))[::-1])[::-1]
    return np.append(highest, 0)[np.searchsorted(found / number, RECALLS)]


def _bit(packed: np.ndarray, index: int) -> np.ndarray:
    """Return one bit of each of (N, bytes) uint8, as `np.packbits` has packed them."""
    return (packed[:, index // 8] >> (7 - index % 8) & 1).astype(bool)


def mean_of(values: np.ndarray) -> float:
    """Return the mean of figures but for -1, nothing to find; -1 if they are all that."""
    measured = values[values > -1]
    return float(measured.mean()) if measured.size else -1.0
