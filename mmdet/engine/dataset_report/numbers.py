"""What is in a part of the data, in figures."""

from collections.abc import Sequence

import numpy as np

from mmdet.models.assigners.grid_assigner import box_scale

from .bins import histogram, spread
from .parts import Part

IMAGE_SIDES = (160, 320, 480, 640, 960, 1280, 1920, 3840)
ASPECTS = (0.25, 0.5, 0.8, 0.99, 1.01, 1.25, 2, 4)
OBJECT_SIZES = (8, 16, 32, 64, 128, 256, 512)
OBJECTS_AN_IMAGE = (1, 2, 4, 8, 16, 32, 64, 128)
HEAT_MAP = 24
"""Rows and columns of the map of centres."""
TINY, SMALL = 8, 32
"""Sides of squares in pixels of the input; masks of fewer pixels have no detail, or little."""
HUGE = 0.5
"""The part of the image from which a mask is huge."""


def figures(part: Part) -> dict:
    """Return the figures of the report, as JSON holds them."""
    truth, images = part.truth, len(part.items)
    labels, image, areas = (each.numpy() for each in (truth.labels, truth.image, truth.areas))
    scales = box_scale(truth.bboxes).numpy()
    an_image = np.bincount(image, minlength=images)
    sides = np.sqrt(part.sizes.prod(1))
    pixels = part.shapes.prod(1)[image] if images else areas
    of_file = areas > 0
    return dict(
        name=part.name,
        stages=part.stages,
        source=part.source,
        is_coco=part.is_coco,
        images_in_file=part.in_file,
        images=images,
        images_without_objects=int((an_image == 0).sum()),
        objects=len(labels),
        crowds=part.crowds,
        findings=[each._asdict() for each in part.findings],
        assumed=part.delivery.assumed,
        classes=_classes(part.classes, labels, image),
        image_sides=histogram(sides, IMAGE_SIDES, ' px'),
        image_side=spread(sides),
        input_side=spread(np.sqrt(part.shapes.prod(1))),
        image_aspects=histogram(_ratio(part.sizes[:, 1], part.sizes[:, 0]), ASPECTS),
        object_sides_in_file=histogram(scales / part.scale, OBJECT_SIZES, ' px'),
        object_sides=histogram(scales, OBJECT_SIZES, ' px'),
        object_side=spread(scales),
        mask_sides=histogram(np.sqrt(areas), OBJECT_SIZES, ' px'),
        object_aspects=histogram(_aspects(truth.bboxes.numpy()), ASPECTS),
        objects_an_image=histogram(an_image, OBJECTS_AN_IMAGE),
        objects_in_an_image=spread(an_image),
        tiny_masks=int((of_file & (areas < TINY**2)).sum()),
        small_masks=int((of_file & (areas < SMALL**2)).sum()),
        empty_masks=int((~of_file).sum()),
        huge_masks=int((areas > HUGE * pixels).sum()),
        centres=_heat_map(part),
    )


def _classes(names: Sequence[str], labels: np.ndarray, image: np.ndarray) -> list[dict]:
    objects = np.bincount(labels, minlength=len(names)).tolist()
    # An image counts once for each class in it.
    pairs = np.unique(np.stack((image, labels)), axis=1)
    images = np.bincount(pairs[1], minlength=len(names)).tolist()
    return [
        dict(name=name, objects=number, images=in_images)
        for name, number, in_images in zip(names, objects, images, strict=True)
    ]


def _heat_map(part: Part) -> list[list[int]]:
    """Return how many objects' centres lie in each cell, row by row, all images over each other."""
    has_mask = part.truth.areas.numpy() > 0
    centers = part.truth.centers.numpy()[has_mask]
    shapes = part.shapes[part.truth.image.numpy()[has_mask]]
    cells = np.clip(centers / np.maximum(shapes, 1) * HEAT_MAP, 0, HEAT_MAP - 1).astype(int)
    counts = np.bincount(cells @ [HEAT_MAP, 1], minlength=HEAT_MAP**2)
    return counts.reshape(HEAT_MAP, HEAT_MAP).tolist()


def _aspects(boxes: np.ndarray) -> np.ndarray:
    return _ratio(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def _ratio(width: np.ndarray, height: np.ndarray) -> np.ndarray:
    return width / np.maximum(height, 1e-6)
