"""Which prediction found which object, by COCO's rules.

Shape letters: D predictions and G objects of an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdet.evaluation.matching import match_objects
from mmdet.evaluation.truth import AREAS, AreaRange

from .comparison import ImageComparison

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
    return match_at(image, (iou_thr,), area_range)[0]


def match_at(
    image: ImageComparison, iou_thrs: Sequence[float], area_range: AreaRange = EVERY_AREA
) -> list[Matches]:
    """Return the matches at each of several overlaps; see `match`."""
    low, high = area_range
    sought = ~image.crowds & (image.object_areas >= low) & (image.object_areas <= high)
    counts = (image.areas >= low) & (image.areas <= high)
    counts &= ~np.isin(image.labels, list(image.unlisted))
    ious = np.where(image.same_class, image.ious, -1)
    taken = match_objects(ious, image.crowds, ~sought[None], np.array(iou_thrs))
    return [_matches(objects, counts, sought) for objects in taken[:, 0].T]


def _matches(objects: np.ndarray, counts: np.ndarray, sought: np.ndarray) -> Matches:
    counted, found = counts.copy(), np.zeros(len(sought), bool)
    taken = objects[objects >= 0]
    counted[objects >= 0] = sought[taken]
    found[taken] = True
    return Matches(objects, counted, sought, found)
