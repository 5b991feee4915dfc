"""Each image's predictions beside its objects, with the overlap of each pair of masks.

Shape letters: D predictions and G objects of an image.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.datasets.coco_values import Identifier
from mmdet.evaluation.coco_metric import Measured
from mmdet.structures.segmentation import areas_of, as_rle


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
    objects: dict[int, list[dict]] = defaultdict(list)
    for annotation in measured.truth.dataset['annotations']:
        objects[annotation['image_id']].append(annotation)
    results = {measured.image_numbers[each['img_id']]: each for each in measured.results}
    images = {image['id']: image for image in measured.truth.dataset['images']}
    nothing: dict[str, list] = dict(scores=[], labels=[], rles=[])
    for img_id, number in measured.image_numbers.items():
        yield _compare(
            img_id,
            images[number],
            results.get(number, nothing),
            objects.get(number, []),
            measured.max_detections,
        )


def _compare(
    img_id: Identifier, image: dict, result: dict, objects: list[dict], most: int
) -> ImageComparison:
    size = image['height'], image['width']
    scores, labels = np.array(result['scores'], float), np.array(result['labels'], int)
    order = np.argsort(-scores, kind='stable')
    order = order[_ranks(labels[order]) < most]
    rles = [result['rles'][index] for index in order]
    object_rles = [as_rle(each['segmentation'], *size) for each in objects]
    crowds = np.array([each['iscrowd'] for each in objects], bool)
    return ImageComparison(
        img_id=img_id,
        size=size,
        scores=scores[order],
        labels=labels[order],
        areas=areas_of(rles),
        rles=rles,
        object_labels=np.array([each['category_id'] - 1 for each in objects], int),
        object_areas=np.array([each['area'] for each in objects], float),
        object_rles=object_rles,
        crowds=crowds,
        ious=mask_ious(rles, object_rles, crowds),
        unlisted=frozenset(number - 1 for number in image.get('not_exhaustive_category_ids', ())),
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


def _ranks(labels: np.ndarray) -> np.ndarray:
    """Return which one of its label each is, from 0."""
    order = np.argsort(labels, kind='stable')
    ordered = labels[order]
    ranks = np.empty(len(labels), int)
    ranks[order] = np.arange(len(labels)) - np.searchsorted(ordered, ordered)
    return ranks
