"""A larger image, or the same one, in which an image lies elsewhere."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.registry import TRANSFORMS

from .arguments import as_color, check_range, check_within
from .instances import select_instances
from .placing import paste, place_instances


@TRANSFORMS.register_module()
class Expand(BaseTransform):
    """Put the image somewhere into a larger one of one colour.

    Args:
        mean: the colour.
        to_rgb: `mean` is RGB, as where a model turns BGR into RGB; the image here is BGR.
        ratio_range: width and height are multiplied by a number of it, 1 or more.
        prob: how often.
    """

    def __init__(
        self,
        mean: Sequence[float] = (0, 0, 0),
        to_rgb: bool = True,
        ratio_range: tuple[float, float] = (1, 4),
        prob: float = 0.5,
    ) -> None:
        check_range(self, 1, float('inf'), ratio_range=ratio_range)
        check_within(self, 0, 1, prob=prob)
        mean = as_color(self, 'mean', mean)
        self.mean = mean[::-1] if to_rgb else mean
        self.ratio_range = ratio_range
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Return results of a larger image."""
        if np.random.uniform(0, 1) > self.prob:
            return results
        image = results['img']
        height, width = image.shape[:2]
        ratio = np.random.uniform(*self.ratio_range)
        left = int(np.random.uniform(0, width * ratio - width))
        top = int(np.random.uniform(0, height * ratio - height))
        shape = (int(height * ratio), int(width * ratio))
        canvas = np.full((*shape, 3), self.mean, image.dtype)
        paste(image, canvas, (left, top))
        placed = place_instances(results, (left, top), shape)
        return {**placed, 'img': canvas, 'img_shape': shape}


@TRANSFORMS.register_module()
class RandomShift(BaseTransform):
    """Move the image within its frame, and leave black what it leaves.

    Where no instance would be left, nothing is moved.

    Args:
        prob: how often.
        max_shift_px: at most so many pixels, in each direction.
        filter_thr_px: a box must be wider and higher than this after it, or the instance is left
            out.
    """

    def __init__(self, prob: float = 0.5, max_shift_px: int = 32, filter_thr_px: int = 1) -> None:
        check_within(self, 0, 1, prob=prob)
        check_within(self, 0, float('inf'), max_shift_px=max_shift_px, filter_thr_px=filter_thr_px)
        self.prob = prob
        self.max_shift_px = int(max_shift_px)
        self.filter_thr_px = int(filter_thr_px)

    def transform(self, results: dict) -> dict:
        """Return moved results."""
        if np.random.uniform(0, 1) >= self.prob or self.max_shift_px == 0:
            return results
        x, y = np.random.randint(-self.max_shift_px, self.max_shift_px, 2).tolist()
        image = results['img']
        moved = place_instances(results, (x, y), image.shape[:2])
        if 'gt_bboxes' in moved:
            boxes = moved['gt_bboxes']
            keep = (boxes[:, 2:] - boxes[:, :2] > self.filter_thr_px).all(1)
            if not keep.any():
                return results
            moved = select_instances(moved, keep)
        canvas = np.zeros_like(image)
        paste(image, canvas, (x, y))
        return {**moved, 'img': canvas}
