"""Which class is taken for which."""

from collections.abc import Iterable

import numpy as np

from .comparison import ImageComparison, mask_ious


def confusion_matrix(
    images: Iterable[ImageComparison],
    classes: int,
    *,
    score_thr: float = 0.3,
    iou_thr: float = 0.5,
    nms_iou_thr: float | None = None,
) -> np.ndarray:
    """Return how often an object of a class (row) was found as another (column), (K + 1, K + 1).

    The last row and column are the background. It is counted as mmdetection counts boxes: a
    prediction once for each object that it overlaps enough, of whatever class, and as found in the
    background if there is none; an object that no prediction of its class overlaps enough, as
    missed, in the last column. So an object may count twice: as found twice, or as missed and
    found as another class. Crowd regions are no objects, and what lies in one of its class
    counts only where it found an object of it.

    Args:
        images: of the test.
        classes: how many there are, K.
        score_thr: predictions of lower scores are left out.
        iou_thr: the least overlap of the masks that is enough.
        nms_iou_thr: leave out what overlaps a prediction of its class of a higher score more.
    """
    side = classes + 1
    cells: list[np.ndarray] = [np.zeros(0, int)]  # what is counted, as row * side + column
    for image in images:
        chosen = np.flatnonzero(image.scores >= score_thr)
        if nms_iou_thr is not None:
            chosen = chosen[_kept(image, chosen, nms_iou_thr)]
        near, same = image.ious[chosen] >= iou_thr, image.same_class[chosen]
        objects = np.flatnonzero(~image.crowds)
        in_crowd = (near & same & image.crowds).any(1)
        near, same = near[:, objects], same[:, objects]
        dismissed = (in_crowd | np.isin(image.labels[chosen], list(image.unlisted))) & ~(
            near & same
        ).any(1)
        labels, object_labels = image.labels[chosen], image.object_labels[objects]
        overlapping, overlapped = np.nonzero(near & ~dismissed[:, None])
        cells += [
            object_labels[overlapped] * side + labels[overlapping],
            classes * side + labels[~near.any(1) & ~dismissed],
            object_labels[~(near & same).any(0)] * side + classes,
        ]
    return np.bincount(np.concatenate(cells), minlength=side**2).reshape(side, side)


def row_shares(matrix: np.ndarray) -> np.ndarray:
    """Return what share of its row each number is, 0 to 1; NaN in a row of nothing."""
    sums = matrix.sum(1, keepdims=True)
    return np.divide(matrix, sums, out=np.full(matrix.shape, np.nan), where=sums > 0)


def _kept(image: ImageComparison, chosen: np.ndarray, iou_thr: float) -> np.ndarray:
    """Return which of the chosen predictions none of their class and a higher score suppresses."""
    rles = [image.rles[index] for index in chosen]
    ious = mask_ious(rles, rles, np.zeros(len(rles), bool))
    labels = image.labels[chosen]
    suppresses = (ious > iou_thr) & (labels[:, None] == labels)
    kept = np.ones(len(chosen), bool)
    for index in range(len(chosen)):
        kept[index] = not (suppresses[:index, index] & kept[:index]).any()
    return kept
