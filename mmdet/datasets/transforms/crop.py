"""Random crops."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

from .instances import select_instances


@TRANSFORMS.register_module()
class RandomCrop(BaseTransform):
    """Cut a random window out of image, boxes and masks.

    An instance that has no extent in the window is left out.

    Args:
        crop_size: two numbers, whose meaning and order `crop_type` gives.
        crop_type: `absolute`: width and height in pixels, less where the image is smaller.
            `absolute_range`: least and greatest length of either side in pixels, likewise.
            `relative`: parts of the image's width and height. `relative_range`: least parts of
            its height and width, in this order, as in mmdetection.
        allow_negative_crop: allow a window without any instance; otherwise the image is skipped
            (the data set draws another one).
        recompute_bbox: take the boxes from the cropped masks.
        bbox_clip_border: cut boxes at the window's border.
    """

    def __init__(
        self,
        crop_size: tuple[float, float],
        crop_type: str = 'absolute',
        allow_negative_crop: bool = False,
        recompute_bbox: bool = False,
        bbox_clip_border: bool = True,
    ) -> None:
        if crop_type not in ('absolute', 'absolute_range', 'relative', 'relative_range'):
            raise UserError(f'unknown crop_type {crop_type!r}')
        if crop_type.startswith('relative') and not all(0 < part <= 1 for part in crop_size):
            raise UserError(f'crop_size {crop_size} must be in (0, 1] for {crop_type}')
        if crop_type.startswith('absolute') and not all(side > 0 for side in crop_size):
            raise UserError(f'crop_size {crop_size} must be positive')
        if crop_type == 'absolute_range' and crop_size[0] > crop_size[1]:
            raise UserError(f'crop_size {crop_size} is no range')
        self.crop_size = crop_size
        self.crop_type = crop_type
        self.allow_negative_crop = allow_negative_crop
        self.recompute_bbox = recompute_bbox
        self.bbox_clip_border = bbox_clip_border

    def _random_window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return x1, y1, x2, y2 of the window in an image of that size."""
        crop_height, crop_width = self._window_size(height, width)
        y = np.random.randint(0, height - crop_height + 1)
        x = np.random.randint(0, width - crop_width + 1)
        return x, y, x + crop_width, y + crop_height

    def _window_size(self, height: int, width: int) -> tuple[int, int]:
        first, second = self.crop_size
        if self.crop_type == 'absolute':
            return min(int(second), height), min(int(first), width)
        if self.crop_type == 'absolute_range':
            return (
                np.random.randint(min(height, int(first)), min(height, int(second)) + 1),
                np.random.randint(min(width, int(first)), min(width, int(second)) + 1),
            )
        if self.crop_type == 'relative':
            return int(height * second + 0.5), int(width * first + 0.5)
        least = np.asarray(self.crop_size)
        first, second = least + np.random.rand(2) * (1 - least)
        return int(height * first + 0.5), int(width * second + 0.5)

    def transform(self, results: dict) -> dict | None:
        """Return new results of the window, or None for an image to skip."""
        height, width = results['img'].shape[:2]
        x1, y1, x2, y2 = window = self._random_window(height, width)
        image = results['img'][y1:y2, x1:x2]
        cropped = {**results, 'img': image, 'img_shape': image.shape[:2]}
        if 'gt_bboxes' not in results:
            return cropped
        boxes = results['gt_bboxes'] - np.array([x1, y1, x1, y1], np.float32)
        limit = np.array([x2 - x1, y2 - y1] * 2, np.float32)
        clipped = boxes.clip(0, limit)
        keep = (clipped[:, 2:] > clipped[:, :2]).all(1)
        if not keep.any() and not self.allow_negative_crop:
            return None
        cropped['gt_bboxes'] = clipped if self.bbox_clip_border else boxes
        if 'gt_masks' in results:
            cropped['gt_masks'] = results['gt_masks'].crop(window)
        # Only now, as this copies: the window's masks, so that the whole ones are let go.
        cropped = select_instances(cropped, keep)
        if 'gt_masks' in cropped and self.recompute_bbox:
            cropped['gt_bboxes'] = cropped['gt_masks'].get_bboxes()
        return cropped
