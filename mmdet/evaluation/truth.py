"""What there is to find in an image, in little memory.

An annotation file's objects are dicts of lists of numbers, 2 KB each; here an object takes 200
bytes, most of them the run lengths of its mask.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.coco_values import Identifier
from mmdet.structures.segmentation import areas_of, as_rle

AreaRange = tuple[float, float]
"""From and to an area in pixels, both included."""
AREAS: dict[str, AreaRange] = dict(
    all=(0, 1e10), small=(0, 32**2), medium=(32**2, 96**2), large=(96**2, 1e10)
)
"""COCO's sizes of objects."""
_RANGES = np.array(list(AREAS.values()))


@dataclass(frozen=True)
class ImageTruth:
    """The G objects of an image, and what LVIS says of its classes.

    Attributes:
        size: (height, width) of the image in pixels.
        labels: (G,) int32.
        areas: (G,) float64 in pixels, as a file says.
        crowd: (G,) bool: regions in which what is found is not wrong.
        boxes: (G, 4) float64, x, y, width and height in pixels.
        counts: of the masks' run lengths, compressed.
        looked_for: the labels of which a detection counts; None for all.
        not_exhaustive: the labels of which there may be objects that are not annotated.
    """

    size: tuple[int, int]
    labels: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    boxes: np.ndarray
    counts: tuple[bytes, ...]
    looked_for: np.ndarray | None = None
    not_exhaustive: Sequence[int] = ()

    @property
    def ignored(self) -> np.ndarray:
        """(A, G) bool: which objects need not be found, for each of `AREAS`."""
        return self.crowd | outside(self.areas)

    def rles(self, indices: np.ndarray) -> list[dict]:
        """Return some objects' masks as pycocotools wants them."""
        return [dict(size=self.size, counts=self.counts[index]) for index in indices.tolist()]


def outside(areas: np.ndarray) -> np.ndarray:
    """Return which of (N,) areas are in which of `AREAS` not, (A, N) bool."""
    return (areas < _RANGES[:, :1]) | (areas > _RANGES[:, 1:])


def truth_of_file(coco: CocoFile, labels: Mapping[Identifier, int]) -> dict[Identifier, ImageTruth]:
    """Return what there is to find in each image of a file, in the file's order.

    Args:
        coco: the file.
        labels: of the ids of its categories that are wanted.
    """
    return {
        image['id']: _truth(
            (int(image['height']), int(image['width'])),
            [
                (labels[each['category_id']], each['area'], each['iscrowd'], each['bbox'])
                for each in annotations
                if each['category_id'] in labels
            ],
            (each['segmentation'] for each in annotations if each['category_id'] in labels),
        )
        for image, annotations in coco.by_image()
    }


def truth_of_sample(sample: Mapping) -> ImageTruth:
    """Return what there is to find in a sample; an object's area is then its mask's.

    Args:
        sample: with `ori_shape`, (h, w), and `instances` as `CocoDataset` has them.
    """
    height, width = sample['ori_shape'][:2]
    rles = [as_rle(each['mask'], height, width) for each in sample['instances']]
    objects = [
        (each['bbox_label'], area, each['ignore_flag'], _as_coco(each['bbox']))
        for each, area in zip(sample['instances'], areas_of(rles).tolist(), strict=True)
    ]
    return _truth((int(height), int(width)), objects, rles)


def count_objects(truths: Iterable[tuple[np.ndarray, np.ndarray]], number: int) -> np.ndarray:
    """Return how many objects of each class there are to find, (C, A) int64 for each of `AREAS`.

    Args:
        truths: of each image the labels of its objects, (G,), and which are ignored, (A, G).
        number: of classes, C.
    """
    objects = np.zeros((number, len(AREAS)), np.int64)
    for labels, ignored in truths:
        np.add.at(objects, labels, ~ignored.T)
    return objects


def _truth(
    size: tuple[int, int], objects: Sequence[tuple], segmentations: Iterable[list | dict]
) -> ImageTruth:
    labels, areas, crowd, boxes = zip(*objects, strict=True) if objects else ((), (), (), ())
    counts = (as_rle(each, *size)['counts'] for each in segmentations)
    return ImageTruth(
        size,
        np.array(labels, np.int32),
        np.array(areas, np.float64),
        np.array(crowd, bool),
        np.array(boxes, np.float64).reshape(-1, 4),
        tuple(each.encode() if isinstance(each, str) else each for each in counts),
    )


def _as_coco(box: Sequence[float]) -> tuple[float, ...]:
    x1, y1, x2, y2 = box
    return x1, y1, x2 - x1, y2 - y1
