"""Precision over recall, as COCO computes it, from what was right and wrong."""

import numpy as np

from mmdet.evaluation.curves import RECALLS, best_precisions

__all__ = ['RECALLS', 'average_precision', 'average_precisions', 'precision_at_recalls']


def precision_at_recalls(right: np.ndarray, positives: int) -> np.ndarray:
    """Return the (101,) best precisions at each of `RECALLS` or beyond; 0 where it is not reached.

    Args:
        right: (D,) bool, of predictions from high to low scores.
        positives: how many objects there are to find, at least 1.

    Examples:
        >>> precision_at_recalls(np.array([True, False, True]), 4)[[0, 25, 26, 50, 51]].round(3)
        array([1.   , 1.   , 0.667, 0.667, 0.   ])
    """
    return best_precisions(np.flatnonzero(right), positives)


def average_precision(right: np.ndarray, positives: int) -> float:
    """Return the AP, the mean of `precision_at_recalls`; see there."""
    return float(precision_at_recalls(right, positives).mean())


def average_precisions(
    scores: np.ndarray, labels: np.ndarray, right: np.ndarray, positives: np.ndarray
) -> np.ndarray:
    """Return the (K,) AP of each class; NaN where there is nothing to find.

    Args:
        scores: (D,) of predictions, in the order of their images.
        labels: (D,) of the predictions.
        right: (D,) bool.
        positives: (K,) how many objects of each class there are to find.
    """
    order = np.lexsort((-scores, labels))  # stable: equal scores stay in the images' order
    ends = np.searchsorted(labels[order], np.arange(len(positives) + 1))
    found = np.full(len(positives), np.nan)
    for label in np.flatnonzero(positives):
        some = order[ends[label] : ends[label + 1]]
        found[label] = average_precision(right[some], int(positives[label]))
    return found
