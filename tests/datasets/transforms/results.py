"""What the tests of transforms begin with."""

import numpy as np

from mmdet.registry import TRANSFORMS
from mmdet.structures import BitmapMasks
from tests.samples import rectangle

BOXES = [(10, 5, 30, 25), (40, 10, 60, 38)]


def results_of(boxes=BOXES, height: int = 40, width: int = 64) -> dict:
    """Results whose image shows each instance in a grey of its own."""
    masks = [rectangle(height, width, box) for box in boxes]
    image = np.zeros((height, width, 3), np.uint8)
    for index, mask in enumerate(masks):
        image[mask > 0] = 100 + 50 * index
    return dict(
        img=image,
        img_shape=(height, width),
        ori_shape=(height, width),
        gt_bboxes=np.array(boxes, np.float32).reshape(-1, 4),
        gt_bboxes_labels=np.arange(len(boxes)),
        gt_ignore_flags=np.zeros(len(boxes), bool),
        gt_masks=BitmapMasks(masks, height, width),
    )


def apply(name: str, results: dict, **kwargs: object) -> dict | None:
    return TRANSFORMS.build(dict(type=name, **kwargs))(results)
