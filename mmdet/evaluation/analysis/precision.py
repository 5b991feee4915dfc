"""The mean of precision over recall, COCO's AP, from what was right and wrong."""

import numpy as np

from mmdet.evaluation.curves import precision_at_recalls


def average_precision(right: np.ndarray, positives: int) -> float:
    """Return the AP, the mean of `precision_at_recalls`; see there for the arguments."""
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
