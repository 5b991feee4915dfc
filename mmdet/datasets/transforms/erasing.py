"""Rectangles of an image that are erased."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.registry import TRANSFORMS
from mmdet.structures.masks import BitmapMasks

from .arguments import as_color, as_range, check_within, require
from .instances import select_instances


@TRANSFORMS.register_module()
class RandomErasing(BaseTransform):
    """Erase rectangles of the image, and the same pixels of the masks.

    Boxes stay as they are; an instance of which too much is erased is left out.

    Args:
        n_patches: how many rectangles: a number, or a range with both ends.
        ratio: of their sides to the image's: a number, or a range.
        squared: one number for both sides of a rectangle; otherwise each has its own.
        bbox_erased_thr: an instance stays if less than this part of its box is erased, where
            rectangles that overlap count twice, as in mmdetection.
        img_border_value: what is drawn instead: a number or one a channel.
        mask_border_value: the same of masks, 0 or 1.
    """

    def __init__(
        self,
        n_patches: int | Sequence[int],
        ratio: float | Sequence[float],
        squared: bool = True,
        bbox_erased_thr: float = 0.9,
        img_border_value: float | Sequence[float] = 128,
        mask_border_value: int = 0,
    ) -> None:
        self.n_patches = as_range(self, 'n_patches', n_patches, 0, float('inf'))
        self.ratio = as_range(self, 'ratio', ratio, 0, 1)
        check_within(self, 0, float('inf'), bbox_erased_thr=bbox_erased_thr)
        check_within(self, 0, 1, mask_border_value=mask_border_value)
        self.squared = squared
        self.bbox_erased_thr = bbox_erased_thr
        self.img_border_value = as_color(self, 'img_border_value', img_border_value)
        self.mask_border_value = mask_border_value

    def transform(self, results: dict) -> dict:
        """Return results with rectangles erased."""
        patches = self._patches(*results['img'].shape[:2])
        image = results['img'].copy()
        for x1, y1, x2, y2 in patches:
            image[y1:y2, x1:x2] = self.img_border_value
        erased = {**results, 'img': image}
        if 'gt_bboxes' in results:
            erased = select_instances(erased, self._show(results['gt_bboxes'], patches))
        if 'gt_masks' in results and len(patches):
            erased['gt_masks'] = self._erase(erased['gt_masks'], patches)
        return erased

    def _patches(self, height: int, width: int) -> np.ndarray:
        """Return random (P, 4) xyxy integers."""
        low, high = self.ratio
        patches = []
        for _ in range(np.random.randint(int(self.n_patches[0]), int(self.n_patches[1]) + 1)):
            first = np.random.random() * (high - low) + low
            second = first if self.squared else np.random.random() * (high - low) + low
            patch_height, patch_width = int(height * first), int(width * second)
            # mmdetection's limits, but for a rectangle as large as the image, where it fails.
            x = np.random.randint(0, max(width - patch_width, 1))
            y = np.random.randint(0, max(height - patch_height, 1))
            patches.append([x, y, x + patch_width, y + patch_height])
        return np.array(patches, int).reshape(-1, 4)

    def _show(self, boxes: np.ndarray, patches: np.ndarray) -> np.ndarray:
        """Return (N,) booleans: of which boxes enough is left."""
        top_left = np.maximum(boxes[:, None, :2], patches[:, :2])
        bottom_right = np.minimum(boxes[:, None, 2:], patches[:, 2:])
        erased = (bottom_right - top_left).clip(0).prod(2).sum(1)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        return erased / (areas + 1e-7) < self.bbox_erased_thr

    def _erase(self, masks: BitmapMasks, patches: np.ndarray) -> BitmapMasks:
        left = masks.masks.copy()
        for x1, y1, x2, y2 in patches:
            left[:, y1:y2, x1:x2] = self.mask_border_value
        return BitmapMasks(left, masks.height, masks.width)


@TRANSFORMS.register_module()
class CutOut(BaseTransform):
    """Erase rectangles of the image alone: instances stay as they are (arXiv 1708.04552).

    Args:
        n_holes: how many rectangles: a number, or a range with both ends.
        cutout_shape: (w, h) in pixels, or a list of them to choose from.
        cutout_ratio: (w, h) in parts of the image's, or a list of them to choose from; one of the
            two is given.
        fill_in: the colour, BGR.
    """

    def __init__(
        self,
        n_holes: int | Sequence[int],
        cutout_shape: Sequence | None = None,
        cutout_ratio: Sequence | None = None,
        fill_in: Sequence[float] = (0, 0, 0),
    ) -> None:
        self.n_holes = as_range(self, 'n_holes', n_holes, 0, float('inf'))
        one = (cutout_shape is None) != (cutout_ratio is None)
        require(self, one, 'it needs cutout_shape or cutout_ratio, and not both')
        if cutout_shape is not None:
            self.sizes = self._sizes('cutout_shape', cutout_shape, float('inf'))
        if cutout_ratio is not None:
            self.sizes = self._sizes('cutout_ratio', cutout_ratio, 1)
        self.with_ratio = cutout_ratio is not None
        self.fill_in = as_color(self, 'fill_in', fill_in)

    def _sizes(self, name: str, given: Sequence, highest: float) -> list[Sequence[float]]:
        """Return the (w, h) of one or of a list of them."""
        sizes = list(given) if given and isinstance(given[0], list | tuple) else [given]
        for size in sizes:
            require(self, len(size) == 2, f'{name} has {size!r}, not a width and a height')
            for side in size:
                check_within(self, 0, highest, **{name: side})
        return sizes

    def transform(self, results: dict) -> dict:
        """Return results with another image."""
        image = results['img'].copy()
        height, width = image.shape[:2]
        for _ in range(np.random.randint(int(self.n_holes[0]), int(self.n_holes[1]) + 1)):
            x = np.random.randint(0, width)
            y = np.random.randint(0, height)
            hole_width, hole_height = self.sizes[np.random.randint(0, len(self.sizes))]
            if self.with_ratio:
                hole_width, hole_height = int(hole_width * width), int(hole_height * height)
            image[y : y + int(hole_height), x : x + int(hole_width)] = self.fill_in
        return {**results, 'img': image}
