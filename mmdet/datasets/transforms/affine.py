"""A random affine map, as in YOLOX (Ge et al. 2021, arXiv 2107.08430)."""

import math
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.registry import TRANSFORMS

from .arguments import as_color, check_range, check_within
from .instances import select_instances
from .placing import reach_into
from .warp import clip_boxes, project_boxes, warp, warp_masks


@TRANSFORMS.register_module()
class RandomAffine(BaseTransform):
    """Scale, rotate, shear and translate image, boxes and masks.

    Boxes are those around the moved corners. An instance whose box leaves the image is left out.
    mmdetection's refuses masks.

    Args:
        max_rotate_degree: either way.
        max_translate_ratio: of the result's width and height, either way.
        scaling_ratio_range: one number of it for both sides.
        max_shear_degree: either way, in both directions.
        border: (w, h) by which the result is larger, or smaller, at each side, in pixels.
        border_val: what is drawn where the image has nothing, BGR.
        bbox_clip_border: cut boxes at the border.
    """

    def __init__(
        self,
        max_rotate_degree: float = 10.0,
        max_translate_ratio: float = 0.1,
        scaling_ratio_range: tuple[float, float] = (0.5, 1.5),
        max_shear_degree: float = 2.0,
        border: tuple[int, int] = (0, 0),
        border_val: Sequence[float] = (114, 114, 114),
        bbox_clip_border: bool = True,
    ) -> None:
        check_within(self, 0, 360, max_rotate_degree=max_rotate_degree)
        check_within(self, 0, 1, max_translate_ratio=max_translate_ratio)
        check_within(self, 0, 89, max_shear_degree=max_shear_degree)
        check_range(self, 1e-3, 1e3, scaling_ratio_range=scaling_ratio_range)
        self.max_rotate_degree = max_rotate_degree
        self.max_translate_ratio = max_translate_ratio
        self.scaling_ratio_range = scaling_ratio_range
        self.max_shear_degree = max_shear_degree
        self.border = border
        self.border_val = as_color(self, 'border_val', border_val)
        self.bbox_clip_border = bbox_clip_border

    def transform(self, results: dict) -> dict:
        """Return moved results."""
        image = results['img']
        shape = image.shape[0] + 2 * self.border[1], image.shape[1] + 2 * self.border[0]
        matrix = self._matrix(*shape)
        warped = warp(image, matrix, shape, border_value=self.border_val)
        moved = {**results, 'img': warped, 'img_shape': shape}
        if 'gt_masks' in results:
            moved['gt_masks'] = warp_masks(results['gt_masks'], matrix, shape)
        if 'gt_bboxes' not in results:
            return moved
        boxes = project_boxes(results['gt_bboxes'], matrix)
        moved['gt_bboxes'] = clip_boxes(boxes, shape) if self.bbox_clip_border else boxes
        return select_instances(moved, reach_into(moved['gt_bboxes'], shape))

    def _matrix(self, height: int, width: int) -> np.ndarray:
        """Return a random (3, 3) matrix for a result of that size."""
        rotation = math.radians(_either_way(self.max_rotate_degree))
        scale = np.random.uniform(*self.scaling_ratio_range)
        shear_x = math.tan(math.radians(_either_way(self.max_shear_degree)))
        shear_y = math.tan(math.radians(_either_way(self.max_shear_degree)))
        x = _either_way(self.max_translate_ratio) * width
        y = _either_way(self.max_translate_ratio) * height
        cos, sin = math.cos(rotation), math.sin(rotation)
        translate = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float32)
        shear = np.array([[1, shear_x, 0], [shear_y, 1, 0], [0, 0, 1]], np.float32)
        rotate = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)
        return translate @ shear @ rotate @ np.diag([scale, scale, 1]).astype(np.float32)


def _either_way(limit: float) -> float:
    return np.random.uniform(-limit, limit)
