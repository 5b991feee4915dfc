"""Rotating, shearing and translating by a level: AutoAugment's and RandAugment's geometry."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.registry import TRANSFORMS

from .arguments import as_color, check_within, require
from .levels import check_level, magnitude_of
from .warp import INTERPOLATIONS, clip_boxes, project_boxes, warp, warp_masks


class GeomTransform(BaseTransform):
    """Move image, masks and boxes by an affine matrix; a subclass says by which.

    The image keeps its size. Boxes are those around the moved corners, cut at the border. An
    instance that leaves the image stays, with an empty mask, as in mmdetection; it teaches SOLO
    nothing, and `FilterAnnotations` leaves it out.

    Args:
        prob: how often, 0 to 1.
        level: the magnitude is that many tenths of the way from `min_mag` to `max_mag`; None
            draws one between them.
        min_mag: the least magnitude.
        max_mag: the greatest magnitude.
        reversal_prob: the magnitude keeps its sign so often, as in mmdetection; else it is
            reversed.
        img_border_value: what is drawn where the image has nothing: a number or one a channel.
        mask_border_value: the same of masks, 0 or 1.
        interpolation: of image and masks, in OpenCV: `nearest`, `bilinear`, `bicubic`, `area`,
            `lanczos`.
    """

    limit: float  # of the magnitude

    def __init__(
        self,
        prob: float = 1.0,
        level: int | None = None,
        min_mag: float = 0.0,
        max_mag: float = 30.0,
        reversal_prob: float = 0.5,
        img_border_value: float | Sequence[float] = 128,
        mask_border_value: int = 0,
        interpolation: str = 'bilinear',
    ) -> None:
        check_level(self, prob, level, min_mag, max_mag, limit=self.limit)
        check_within(self, 0, 1, reversal_prob=reversal_prob, mask_border_value=mask_border_value)
        known = ', '.join(INTERPOLATIONS)
        wrong = f'interpolation is {interpolation!r}, not one of {known}'
        require(self, interpolation in INTERPOLATIONS, wrong)
        self.prob = prob
        self.level = level
        self.min_mag = min_mag
        self.max_mag = max_mag
        self.reversal_prob = reversal_prob
        self.img_border_value = as_color(self, 'img_border_value', img_border_value)
        self.mask_border_value = mask_border_value
        self.interpolation = interpolation

    def transform(self, results: dict) -> dict:
        """Return moved results."""
        if np.random.rand() > self.prob:
            return results
        mag = magnitude_of(self.level, self.min_mag, self.max_mag)
        if np.random.rand() > self.reversal_prob:
            mag = -mag
        shape = results['img'].shape[:2]
        matrix = self._matrix(mag, *shape)
        image = warp(
            results['img'],
            matrix,
            shape,
            border_value=self.img_border_value,
            interpolation=self.interpolation,
        )
        moved = {**results, 'img': image}
        if 'gt_bboxes' in results:
            moved['gt_bboxes'] = clip_boxes(project_boxes(results['gt_bboxes'], matrix), shape)
        if 'gt_masks' in results:
            moved['gt_masks'] = warp_masks(
                results['gt_masks'],
                matrix,
                shape,
                border_value=self.mask_border_value,
                interpolation=self.interpolation,
            )
        return moved

    def _matrix(self, mag: float, height: int, width: int) -> np.ndarray:
        """Return the (2, 3) matrix for an image of that size."""
        raise NotImplementedError


@TRANSFORMS.register_module()
class Rotate(GeomTransform):
    """Rotate clockwise about the middle, in degrees; see `GeomTransform` for the arguments."""

    limit = 180.0

    def _matrix(self, mag: float, height: int, width: int) -> np.ndarray:
        return cv2.getRotationMatrix2D(((width - 1) * 0.5, (height - 1) * 0.5), -mag, 1.0)


@TRANSFORMS.register_module()
class ShearX(GeomTransform):
    """Shear rows to the right, in degrees; see `GeomTransform` for the arguments."""

    limit = 90.0

    def _matrix(self, mag: float, height: int, width: int) -> np.ndarray:
        return np.array([[1, np.tan(mag * np.pi / 180), 0], [0, 1, 0]], np.float32)


@TRANSFORMS.register_module()
class ShearY(GeomTransform):
    """Shear columns downwards, in degrees; see `GeomTransform` for the arguments."""

    limit = 90.0

    def _matrix(self, mag: float, height: int, width: int) -> np.ndarray:
        return np.array([[1, 0, 0], [np.tan(mag * np.pi / 180), 1, 0]], np.float32)


class _Translate(GeomTransform):
    limit = 1.0

    def __init__(
        self,
        prob: float = 1.0,
        level: int | None = None,
        min_mag: float = 0.0,
        max_mag: float = 0.1,
        reversal_prob: float = 0.5,
        img_border_value: float | Sequence[float] = 128,
        mask_border_value: int = 0,
        interpolation: str = 'bilinear',
    ) -> None:
        super().__init__(
            prob,
            level,
            min_mag,
            max_mag,
            reversal_prob,
            img_border_value,
            mask_border_value,
            interpolation,
        )


@TRANSFORMS.register_module()
class TranslateX(_Translate):
    """Move to the right by a part of the width; see `GeomTransform` for the arguments."""

    def _matrix(self, mag: float, height: int, width: int) -> np.ndarray:
        return np.array([[1, 0, int(width * mag)], [0, 1, 0]], np.float32)


@TRANSFORMS.register_module()
class TranslateY(_Translate):
    """Move down by a part of the height; see `GeomTransform` for the arguments."""

    def _matrix(self, mag: float, height: int, width: int) -> np.ndarray:
        return np.array([[1, 0, 0], [0, 1, int(height * mag)]], np.float32)
