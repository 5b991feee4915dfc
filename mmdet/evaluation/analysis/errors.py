"""What AP would be without each kind of error.

By TIDE (Bolya et al. 2020, https://arxiv.org/abs/2008.08115): each prediction that is wrong, and
each object that is not found, is put down to one kind of error, an oracle mends all of one kind,
and what AP gains by it is what the kind costs. The gains are no parts of a whole: each is taken
alone, and where two kinds hit the same objects neither gains much alone.

With the IoU of masks; beside TIDE's own code, AP is COCO's to the last digit: of crowd regions,
of areas, of the predictions that count, and of a class that has nothing to find, which has none.
What lies in a crowd region of its class is no error.

Shape letters: D predictions and G objects of an image, K classes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmdet.evaluation.truth import AREAS, AreaRange

from .comparison import ImageComparison
from .matching import Matches, match
from .precision import average_precisions

ERRORS = {
    'class': 'overlaps an object of another class enough',
    'localisation': 'overlaps an object of its class, but not enough',
    'both': 'overlaps an object of another class, but not enough',
    'duplicate': 'overlaps an object enough that another prediction has found',
    'background': 'overlaps no object',
    'missed': 'an object that none of these predictions would find if they were mended',
}
"""The kinds of errors, and what each is."""
_CLASS, _LOCALISATION, _BOTH, _DUPLICATE, _BACKGROUND, _MISSED = range(len(ERRORS))
_NONE = -1  # of a prediction that is right


@dataclass
class ErrorFigures:
    """What errors cost, of a class or of all, of a size or of all.

    Attributes:
        objects: how many there are to find.
        ap: the AP, None if there are none.
        gains: by the kind of error, what the AP would be more without it.
        counts: by the kind of error, how many there are.
    """

    objects: int
    ap: float | None
    gains: dict[str, float]
    counts: dict[str, int]


@dataclass
class ErrorAnalysis:
    """What errors cost.

    Attributes:
        iou_thr: the least overlap that is enough.
        background_thr: the least overlap that is one.
        by_size: of all classes, by the size of the objects, `all` and others.
        by_class: by class and size.
    """

    iou_thr: float
    background_thr: float
    by_size: dict[str, ErrorFigures]
    by_class: dict[str, dict[str, ErrorFigures]]


def analyse_errors(
    images: Iterable[ImageComparison],
    classes: Sequence[str],
    *,
    iou_thr: float = 0.5,
    background_thr: float = 0.1,
    areas: Mapping[str, AreaRange] = AREAS,
) -> ErrorAnalysis:
    """Return what each kind of error costs.

    Args:
        images: of the test; they are gone through once.
        classes: the names of the labels.
        iou_thr: the least overlap of the masks that is enough.
        background_thr: the least overlap that tells what is badly placed from what is nowhere.
        areas: the sizes of objects to tell apart.
    """
    collected = {size: _Collected(len(classes)) for size in areas}
    for image in images:
        for size, area_range in areas.items():
            matches = match(image, iou_thr, area_range)
            collected[size].add(image, matches, _judge(image, matches, iou_thr, background_thr))
    by_size = {size: each.figures() for size, each in collected.items()}
    return ErrorAnalysis(
        iou_thr,
        background_thr,
        {size: overall for size, (overall, _) in by_size.items()},
        {
            name: {size: by_class[label] for size, (_, by_class) in by_size.items()}
            for label, name in enumerate(classes)
        },
    )


@dataclass
class _Judged:
    """What is wrong in an image.

    Attributes:
        kinds: (D,) the error of each prediction, `_NONE` if it is right or does not count.
        mended: (D,) the label with which it would be right if it were mended, or -1: then it would
            not be there.
        missed: (G,) bool.
    """

    kinds: np.ndarray
    mended: np.ndarray
    missed: np.ndarray


def _judge(
    image: ImageComparison, matches: Matches, iou_thr: float, background_thr: float
) -> _Judged:
    kinds = np.full(len(image.scores), _NONE)
    mended = np.full(len(image.scores), -1)
    wrong, objects = np.flatnonzero(matches.wrong), np.flatnonzero(~image.crowds)
    missed = matches.sought & ~matches.found
    if not len(wrong) or not len(objects):
        kinds[wrong] = _BACKGROUND
        return _Judged(kinds, mended, missed)
    ious = image.ious[np.ix_(wrong, objects)]
    same = image.same_class[np.ix_(wrong, objects)]
    own, others = np.where(same, ious, 0), np.where(same, 0, ious)
    kinds[wrong] = np.select(
        [
            (own.max(1) >= background_thr) & (own.max(1) <= iou_thr),
            others.max(1) >= iou_thr,
            (own * matches.found[objects]).max(1) >= iou_thr,
            ious.max(1) <= background_thr,
        ],
        [_LOCALISATION, _CLASS, _DUPLICATE, _BACKGROUND],
        _BOTH,
    )
    # Of those that would find the same object, the one of the highest score does.
    meant = np.where(kinds[wrong] == _CLASS, others.argmax(1), own.argmax(1))
    mendable = np.flatnonzero(np.isin(kinds[wrong], (_CLASS, _LOCALISATION)))
    meant = objects[meant[mendable]]
    meant, first = np.unique(meant, return_index=True)
    finds = ~matches.found[meant] & matches.sought[meant]
    mended[wrong[mendable[first[finds]]]] = image.object_labels[meant[finds]]
    missed[meant] = False
    return _Judged(kinds, mended, missed)


class _Collected:
    """What was judged, of all images; of objects of one size.

    Args:
        classes: how many there are.
    """

    def __init__(self, classes: int) -> None:
        self._positives = np.zeros(classes, int)
        self._missed = np.zeros(classes, int)
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add(self, image: ImageComparison, matches: Matches, judged: _Judged) -> None:
        """Take an image in."""
        np.add.at(self._positives, image.object_labels[matches.sought], 1)
        np.add.at(self._missed, image.object_labels[judged.missed], 1)
        arrays = image.scores, image.labels, judged.kinds, judged.mended
        self._parts.append(tuple(each[matches.counted] for each in arrays))

    def figures(self) -> tuple[ErrorFigures, list[ErrorFigures]]:
        """Return the figures of all classes together, and those of each."""
        empty = np.zeros(0), *[np.zeros(0, int)] * 3
        columns = zip(empty, *self._parts, strict=True)
        scores, labels, kinds, mended = (np.concatenate(each) for each in columns)
        aps = average_precisions(scores, labels, kinds == _NONE, self._positives)
        fixed = np.stack(
            [self._without(kind, scores, labels, kinds, mended) for kind in range(_MISSED)]
            + [self._without_missed(scores, labels, kinds)]
        )
        counts = np.stack([self._counts(labels[kinds == kind]) for kind in range(_MISSED)])
        counts = np.vstack([counts, self._missed])
        there = self._positives > 0
        overall = _figures(
            self._positives.sum(),
            aps[there].mean() if there.any() else np.nan,
            fixed[:, there].mean(1) if there.any() else fixed[:, :0].sum(1),
            counts.sum(1),
        )
        by_class = [
            _figures(self._positives[label], aps[label], fixed[:, label], counts[:, label])
            for label in range(len(there))
        ]
        return overall, by_class

    def _without(
        self,
        kind: int,
        scores: np.ndarray,
        labels: np.ndarray,
        kinds: np.ndarray,
        mended: np.ndarray,
    ) -> np.ndarray:
        """Return the APs where predictions of a kind are mended, or else not there."""
        is_kind = kinds == kind
        kept = ~is_kind | (mended >= 0)
        labels = np.where(is_kind, mended, labels)[kept]
        right = ((kinds == _NONE) | is_kind)[kept]
        return average_precisions(scores[kept], labels, right, self._positives)

    def _without_missed(
        self, scores: np.ndarray, labels: np.ndarray, kinds: np.ndarray
    ) -> np.ndarray:
        """Return the APs where missed objects are not there; 1 where nothing is left to find."""
        left = self._positives - self._missed
        aps = average_precisions(scores, labels, kinds == _NONE, left)
        return np.where((left == 0) & (self._positives > 0), 1.0, aps)

    def _counts(self, labels: np.ndarray) -> np.ndarray:
        return np.bincount(labels, minlength=len(self._positives))


def _figures(objects: int, ap: float, fixed: np.ndarray, counts: np.ndarray) -> ErrorFigures:
    # That of 101 recalls one is reached later may make a gain seem a loss.
    gains = np.maximum(fixed - ap, 0) if objects else np.zeros(len(fixed))
    return ErrorFigures(
        int(objects),
        float(ap) if objects else None,
        dict(zip(ERRORS, gains.tolist(), strict=True)),
        dict(zip(ERRORS, counts.tolist(), strict=True)),
    )
