"""Which images a model does well, and which badly: the mask AP of each by itself."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mmdet.datasets.coco_values import Identifier
from mmdet.evaluation.matching import IOU_THRESHOLDS

from .comparison import ImageComparison
from .matching import Matches, match_at
from .precision import average_precision

IOU_THRS: tuple[float, ...] = tuple(IOU_THRESHOLDS.tolist())
"""COCO's, over which its AP is the mean."""


class ImageScore(NamedTuple):
    """How well an image was done.

    Attributes:
        img_id: of the image.
        ap: from 0 to 1; None where there is nothing to find.
        objects: how many there are to find.
        found: how many of them a prediction of their class overlaps by 0.5.
        predictions: how many there are, whatever their scores.
    """

    img_id: Identifier
    ap: float | None
    objects: int
    found: int
    predictions: int


def image_score(image: ImageComparison, matches: Mapping[float, Matches]) -> ImageScore:
    """Return the AP of an image, the mean over the classes of its objects and the thresholds.

    As in COCO's AP, what was found of other classes does not count.

    Args:
        image: what was found, and what there is to find.
        matches: of the image at each of `IOU_THRS`.
    """
    sought = ~image.crowds
    aps = [
        average_precision(
            matches[threshold].right[(image.labels == label) & matches[threshold].counted],
            int((image.object_labels[sought] == label).sum()),
        )
        for threshold in IOU_THRS
        for label in np.unique(image.object_labels[sought])
    ]
    return ImageScore(
        img_id=image.img_id,
        ap=float(np.mean(aps)) if aps else None,
        objects=int(sought.sum()),
        found=int(matches[IOU_THRS[0]].found[sought].sum()),
        predictions=len(image.scores),
    )


def matches_of(image: ImageComparison) -> dict[float, Matches]:
    """Return which prediction found which object at each of `IOU_THRS`."""
    return dict(zip(IOU_THRS, match_at(image, IOU_THRS), strict=True))


def best_and_worst(
    scores: Sequence[ImageScore], best: int, worst: int
) -> tuple[list[ImageScore], list[ImageScore]]:
    """Return the images with the highest AP, and those with the lowest, the utmost first.

    No image is in both: of few, the better half is among the best. Of two with one AP, the one with
    more objects is better above 0.5, and else worse. Images without objects are in neither.

    Args:
        scores: of the images.
        best: so many at most.
        worst: likewise.

    Examples:
        >>> scores = [ImageScore(n, ap, 1, 1, 1) for n, ap in enumerate([0.5, 0.1, None, 0.9])]
        >>> [[each.img_id for each in some] for some in best_and_worst(scores, 2, 2)]
        [[3], [1, 0]]
    """
    aps = [(each.ap, each) for each in scores if each.ap is not None]
    aps.sort(key=lambda pair: (pair[0], pair[1].objects * (1 if pair[0] > 0.5 else -1)))
    ranked = [each for _, each in aps]
    best = min(best, len(ranked) // 2)
    rest = ranked[: len(ranked) - best]
    return ranked[len(rest) :][::-1], rest[:worst]
