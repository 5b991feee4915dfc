"""SSD's crops (Liu et al. 2016, arXiv 1512.02325): windows that objects overlap by so much."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.registry import TRANSFORMS

from .arguments import check_within, require
from .instances import select_instances
from .placing import centres_within, place_instances

_TRIES = 50


@TRANSFORMS.register_module()
class MinIoURandomCrop(BaseTransform):
    """Cut a window out whose IoU with every box is at least a number, drawn for each image.

    Beside the numbers given that is 0, or 1 for the image as it is, likewise. An instance stays
    if the middle of its box is in the window.

    Args:
        min_ious: the numbers.
        min_crop_size: the window's least part of the width and of the height.
        bbox_clip_border: cut boxes at the window's border.
    """

    def __init__(
        self,
        min_ious: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
        min_crop_size: float = 0.3,
        bbox_clip_border: bool = True,
    ) -> None:
        require(self, isinstance(min_ious, list | tuple), f'min_ious is {min_ious!r}, not a list')
        for min_iou in min_ious:
            check_within(self, 0, 1, min_ious=min_iou)
        check_within(self, 0, 1, min_crop_size=min_crop_size)
        self.modes = (1, *min_ious, 0)
        self.min_crop_size = min_crop_size
        self.bbox_clip_border = bbox_clip_border

    def transform(self, results: dict) -> dict:
        """Return results of a window."""
        height, width = results['img'].shape[:2]
        boxes = results.get('gt_bboxes', np.zeros((0, 4), np.float32))
        while True:
            min_iou = np.random.choice(self.modes)
            if min_iou == 1:
                return results
            for _ in range(_TRIES):
                window = self._window(height, width)
                if window is not None and self._fits(boxes, window, min_iou):
                    return self._crop(results, window)

    def _window(self, height: int, width: int) -> tuple[int, int, int, int] | None:
        """Return x1, y1, x2, y2 of a random window, or None for one that is too narrow."""
        new_width = np.random.uniform(self.min_crop_size * width, width)
        new_height = np.random.uniform(self.min_crop_size * height, height)
        if not 0.5 <= new_height / new_width <= 2:
            return None
        # As in mmdetection, whose single argument is the low end: from it to 1.
        left = np.random.uniform(width - new_width)
        top = np.random.uniform(height - new_height)
        x1, y1, x2, y2 = int(left), int(top), int(left + new_width), int(top + new_height)
        return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None

    def _fits(self, boxes: np.ndarray, window: tuple[int, int, int, int], min_iou: float) -> bool:
        if len(boxes) == 0:
            return True
        ious = _ious(boxes, np.array(window, np.float32))
        return bool(ious.min() >= min_iou and centres_within(boxes, window).any())

    def _crop(self, results: dict, window: tuple[int, int, int, int]) -> dict:
        x1, y1, x2, y2 = window
        kept = results
        if 'gt_bboxes' in results:
            kept = select_instances(results, centres_within(results['gt_bboxes'], window))
        shape = (y2 - y1, x2 - x1)
        placed = place_instances(kept, (-x1, -y1), shape, clip=self.bbox_clip_border)
        return {**placed, 'img': results['img'][y1:y2, x1:x2], 'img_shape': shape}


def _ious(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Return the (N,) IoUs of (N, 4) xyxy boxes with one."""
    top_left, bottom_right = boxes[:, :2].clip(window[:2]), boxes[:, 2:].clip(None, window[2:])
    shared = (bottom_right - top_left).clip(0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (window[2:] - window[:2]).prod()
    return shared / (areas - shared).clip(1e-6)
