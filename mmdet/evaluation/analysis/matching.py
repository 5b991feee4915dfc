"""Which prediction found which object, by COCO's rules.

Shape letters: D predictions and G objects of an image.
"""

from dataclasses import dataclass

import numpy as np

from mmdet.evaluation.truth import AREAS as RANGES

from .comparison import ImageComparison

AreaRange = tuple[float, float]
"""From and to an area in pixels, both included."""
AREAS: dict[str, AreaRange] = {
    name: (low, high)
    for name, (low, high) in zip(('all', 'small', 'medium', 'large'), RANGES.tolist(), strict=True)
}
"""COCO's sizes of objects."""
EVERY_AREA = AREAS['all']


@dataclass
class Matches:
    """Which prediction found which object of an image.

    Attributes:
        objects: (D,) the object that each prediction found, or -1; a crowd region may be found by
            several.
        counted: (D,) bool, whether a prediction is right or wrong, and not left out.
        sought: (G,) bool, whether an object is to be found, and not left out.
        found: (G,) bool, whether one was found.
    """

    objects: np.ndarray
    counted: np.ndarray
    sought: np.ndarray
    found: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """(D,) bool, the predictions that count and found an object."""
        return self.counted & (self.objects >= 0)

    @property
    def wrong(self) -> np.ndarray:
        """(D,) bool, the predictions that count and found none."""
        return self.counted & (self.objects < 0)


def match(
    image: ImageComparison, iou_thr: float = 0.5, area_range: AreaRange = EVERY_AREA
) -> Matches:
    """Give each object to a prediction of its class, the one of the highest score.

    A prediction takes of the free objects that it overlaps enough the one that it overlaps most,
    and one that is not to be found only if there is no other. Crowd regions, and objects of other
    areas, are not to be found: what finds them does not count, nor does what finds nothing and is
    of another area itself, or of a class of which not all objects are annotated.

    Args:
        image: the predictions and the objects.
        iou_thr: the least overlap of the masks that is enough.
        area_range: of the objects that are to be found.
    """
    low, high = area_range
    sought = ~image.crowds & (image.object_areas >= low) & (image.object_areas <= high)
    near = (image.ious >= min(iou_thr, 1 - 1e-10)) & image.same_class
    objects = np.full(len(image.scores), -1)
    found = np.zeros(len(sought), bool)
    for prediction in np.flatnonzero(near.any(1)):
        free = near[prediction] & (~found | image.crowds)
        if (free & sought).any():
            free &= sought
        there = np.flatnonzero(free)
        if len(there):
            ious = image.ious[prediction, there]
            # As in COCO's code, the last one of equals.
            chosen = there[len(ious) - 1 - ious[::-1].argmax()]
            objects[prediction] = chosen
            found[chosen] = True
    counted = (image.areas >= low) & (image.areas <= high)
    counted &= ~np.isin(image.labels, list(image.unlisted))
    counted[objects >= 0] = sought[objects[objects >= 0]]
    return Matches(objects, counted, sought, found)
