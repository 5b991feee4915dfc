"""Each image's predictions beside its objects, with the overlap of each pair of masks.

Shape letters: D predictions and G objects of an image.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.datasets.coco_values import Identifier
from mmdet.evaluation.coco_metric import Measured
from mmdet.evaluation.matching import Detections, detections_of, those_that_count
from mmdet.evaluation.truth import ImageTruth
from mmdet.structures.segmentation import areas_of


@dataclass
class ImageComparison:
    """What was found in an image beside what there is to find.

    Attributes:
        img_id: of the image.
        size: (height, width) of the image in pixels.
        scores: (D,) from high to low; of each class no more than count.
        labels: (D,)
        areas: (D,) of the predictions, in pixels.
        rles: D masks.
        object_labels: (G,)
        object_areas: (G,) in pixels, as the annotations say.
        object_rles: G masks.
        crowds: (G,) bool, which of the objects are regions that nothing is wrong in.
        ious: (D, G) of the masks, whatever their labels; of a crowd region, COCO's: how much of the
            prediction is in it.
        unlisted: labels of which not all objects are annotated here: what is found beyond them is
            not wrong.
    """

    img_id: Identifier
    size: tuple[int, int]
    scores: np.ndarray
    labels: np.ndarray
    areas: np.ndarray
    rles: list[dict]
    object_labels: np.ndarray
    object_areas: np.ndarray
    object_rles: list[dict]
    crowds: np.ndarray
    ious: np.ndarray
    unlisted: frozenset[int]

    @property
    def same_class(self) -> np.ndarray:
        """(D, G) bool, whether the labels are the same."""
        return self.labels[:, None] == self.object_labels


def compare(measured: Measured) -> Iterator[ImageComparison]:
    """Yield all images of the annotations in their order, also those without predictions.

    Args:
        measured: what the figures of a test are computed of.
    """
    nothing = detections_of([], [], [])
    for img_id, truth in measured.truth.items():
        found = measured.found.get(img_id, nothing)
        yield _compare(img_id, truth, those_that_count(found, truth, measured.max_detections)[0])


def _compare(img_id: Identifier, truth: ImageTruth, found: Detections) -> ImageComparison:
    rles = [*found.rles]
    object_rles = truth.rles(np.arange(len(truth.labels)))
    return ImageComparison(
        img_id=img_id,
        size=truth.size,
        scores=found.scores,
        labels=found.labels,
        areas=areas_of(rles),
        rles=rles,
        object_labels=truth.labels,
        object_areas=truth.areas,
        object_rles=object_rles,
        crowds=truth.crowd,
        ious=mask_ious(rles, object_rles, truth.crowd),
        unlisted=frozenset(truth.not_exhaustive),
    )


def mask_ious(rles: list[dict], others: list[dict], crowds: np.ndarray) -> np.ndarray:
    """Return (D, G) overlaps of masks.

    Args:
        rles: D masks.
        others: G masks.
        crowds: (G,) bool, with which of the others the overlap is over the mask's own area, and
            not over that of both.
    """
    if not rles or not others:
        return np.zeros((len(rles), len(others)))
    return np.asarray(coco_mask.iou(rles, others, crowds.astype(np.uint8)))
