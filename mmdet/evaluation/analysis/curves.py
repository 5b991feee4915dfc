"""Precision, recall and scores of a whole test, by class.

Shape letters: K thresholds of IoU, C classes, D predictions of all images.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mmdet.evaluation.curves import RECALLS, precision_at_recalls

from .comparison import ImageComparison
from .image_ap import IOU_THRS
from .matching import Matches


class Operation(NamedTuple):
    """What a model does if predictions below a score are left out.

    Attributes:
        score_thr: the lowest score that is kept.
        precision: the share of right ones among the predictions.
        recall: the share of the objects that were found.
        f1: 2 / (1 / precision + 1 / recall).
    """

    score_thr: float
    precision: float
    recall: float
    f1: float


@dataclass
class Curves:
    """What was right and wrong in a test, collected image by image.

    Args:
        num_classes: C.
    """

    num_classes: int
    _parts: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.positives = np.zeros(self.num_classes, int)  # (C,) objects to find

    def add(self, image: ImageComparison, matches: Mapping[float, Matches]) -> None:
        """Count an image, with its matches at each of `IOU_THRS`."""
        sought = image.object_labels[~image.crowds]
        self.positives += np.bincount(sought, minlength=self.num_classes)
        right, counted = (
            np.stack([getattr(matches[threshold], name) for threshold in IOU_THRS])
            for name in ('right', 'counted')
        )
        self._parts.append((image.scores, image.labels, right, counted))

    @cached_property
    def precision(self) -> np.ndarray:
        """(K, C, 101) precision at each of `RECALLS`; NaN of classes without objects."""
        precision = np.full((len(IOU_THRS), self.num_classes, len(RECALLS)), np.nan)
        for label in np.flatnonzero(self.positives).tolist():
            _, right, counted = self._of_class(label)
            for place in range(len(IOU_THRS)):
                precision[place, label] = precision_at_recalls(
                    right[place, counted[place]], int(self.positives[label])
                )
        return precision

    def best(self, label: int | None = None) -> Operation | None:
        """Return where F1 is highest, at an IoU of 0.5.

        Args:
            label: of a class; by default all classes count together.

        Returns:
            None where there is nothing to find, or nothing right was found.
        """
        return _best(*self._at_half(label))

    def at(self, score_thr: float, label: int | None = None) -> Operation | None:
        """Return what a threshold of the score does, at an IoU of 0.5; see `best`.

        Returns:
            None where there is nothing to find.
        """
        scores, right, positives = self._at_half(label)
        if not positives:
            return None
        kept = int((scores >= score_thr).sum())
        hits = int(right[:kept].sum())
        return _operation(score_thr, hits, kept, positives)

    def _at_half(self, label: int | None) -> tuple[np.ndarray, np.ndarray, int]:
        scores, right, counted = self._of_class(label)
        positives = self.positives.sum() if label is None else self.positives[label]
        return scores[counted[0]], right[0, counted[0]], int(positives)

    def _of_class(self, label: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (D',) scores from high to low, and (K, D') what is right and what counts."""
        scores, labels, right, counted = self._ordered
        if label is None:
            return scores, right, counted
        first, last = np.searchsorted(labels[self._by_class], (label, label + 1))
        chosen = self._by_class[first:last]
        return scores[chosen], right[:, chosen], counted[:, chosen]

    @cached_property
    def _ordered(self) -> tuple[np.ndarray, ...]:
        if not self._parts:
            nothing = np.zeros((len(IOU_THRS), 0), bool)
            return np.zeros(0), np.zeros(0, int), nothing, nothing
        scores, labels, right, counted = (
            np.concatenate(parts, axis=-1) for parts in zip(*self._parts, strict=True)
        )
        order = np.argsort(-scores, kind='stable')
        return scores[order], labels[order], right[:, order], counted[:, order]

    @cached_property
    def _by_class(self) -> np.ndarray:
        """(D,) the predictions class by class, each from high to low scores."""
        return np.argsort(self._ordered[1], kind='stable')


def _best(scores: np.ndarray, right: np.ndarray, positives: int) -> Operation | None:
    hits = right.cumsum()
    if not positives or not hits[-1:].any():
        return None
    f1 = 2 * hits / (np.arange(1, len(right) + 1) + positives)
    # All predictions of one score are kept, or none.
    f1[:-1][scores[:-1] == scores[1:]] = -1
    place = int(f1.argmax())
    return _operation(float(scores[place]), int(hits[place]), place + 1, positives)


def _operation(score_thr: float, hits: int, kept: int, positives: int) -> Operation:
    return Operation(
        score_thr=score_thr,
        precision=hits / kept if kept else 1.0,
        recall=hits / positives,
        f1=2 * hits / (kept + positives),
    )
