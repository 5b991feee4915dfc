"""Colours changed by a level: what AutoAugment and RandAugment do to the image alone."""

import math

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.registry import TRANSFORMS

from .levels import check_level, magnitude_of


class ColorTransform(BaseTransform):
    """Change an image's colours; a subclass says how. Instances stay as they are.

    Args:
        prob: how often, 0 to 1.
        level: the magnitude is that many tenths of the way from `min_mag` to `max_mag`; None
            draws one between them.
        min_mag: the least magnitude.
        max_mag: the greatest magnitude.
    """

    limit = 2.0  # of the magnitude; 1 leaves an image as it is

    def __init__(
        self,
        prob: float = 1.0,
        level: int | None = None,
        min_mag: float = 0.1,
        max_mag: float = 1.9,
    ) -> None:
        check_level(self, prob, level, min_mag, max_mag, limit=self.limit)
        self.prob = prob
        self.level = level
        self.min_mag = min_mag
        self.max_mag = max_mag

    def transform(self, results: dict) -> dict:
        """Return results with another `img` of the same type."""
        if np.random.rand() > self.prob:
            return results
        image = results['img']
        changed = self._change(image, magnitude_of(self.level, self.min_mag, self.max_mag))
        return {**results, 'img': changed.astype(image.dtype)}

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        """Return another (h, w, 3) image."""
        raise NotImplementedError


@TRANSFORMS.register_module()
class Color(ColorTransform):
    """Change the saturation: 0 is grey; see `ColorTransform` for the arguments."""

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return mmcv.adjust_color(image, mag)


@TRANSFORMS.register_module()
class Brightness(ColorTransform):
    """Change the brightness: 0 is black; see `ColorTransform` for the arguments."""

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return mmcv.adjust_brightness(image, mag)


@TRANSFORMS.register_module()
class Contrast(ColorTransform):
    """Change the contrast: 0 is one grey; see `ColorTransform` for the arguments."""

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return mmcv.adjust_contrast(image, mag)


@TRANSFORMS.register_module()
class Sharpness(ColorTransform):
    """Change the sharpness: 0 is blurred; see `ColorTransform` for the arguments."""

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return mmcv.adjust_sharpness(image, mag)


@TRANSFORMS.register_module()
class Solarize(ColorTransform):
    """Invert values from the magnitude on, 0 to 256; see `ColorTransform` for the arguments."""

    limit = 256.0

    def __init__(
        self,
        prob: float = 1.0,
        level: int | None = None,
        min_mag: float = 0.0,
        max_mag: float = 256.0,
    ) -> None:
        super().__init__(prob, level, min_mag, max_mag)

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return mmcv.solarize(image, mag)


@TRANSFORMS.register_module()
class SolarizeAdd(ColorTransform):
    """Add the magnitude, 0 to 110, to values under 128; see `ColorTransform` for the arguments."""

    limit = 110.0

    def __init__(
        self,
        prob: float = 1.0,
        level: int | None = None,
        min_mag: float = 0.0,
        max_mag: float = 110.0,
    ) -> None:
        super().__init__(prob, level, min_mag, max_mag)

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return np.where(image < 128, np.minimum(image + mag, 255), image)


@TRANSFORMS.register_module()
class Posterize(ColorTransform):
    """Keep as many bits as the magnitude, 0 to 8; see `ColorTransform` for the arguments."""

    limit = 8.0

    def __init__(
        self,
        prob: float = 1.0,
        level: int | None = None,
        min_mag: float = 0.0,
        max_mag: float = 4.0,
    ) -> None:
        super().__init__(prob, level, min_mag, max_mag)

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return mmcv.posterize(image, math.ceil(mag))


@TRANSFORMS.register_module()
class Equalize(ColorTransform):
    """Equalise the histograms; of the arguments of `ColorTransform` only `prob` matters.

    The others are there because AutoAugment's policies give every transform a level.
    """

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return mmcv.imequalize(image)


@TRANSFORMS.register_module()
class AutoContrast(ColorTransform):
    """Stretch each channel to 0 to 255; of the arguments of `ColorTransform` only `prob` matters.

    The others are there because AutoAugment's policies give every transform a level.
    """

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return mmcv.auto_contrast(image)


@TRANSFORMS.register_module()
class Invert(ColorTransform):
    """Invert the colours; of the arguments of `ColorTransform` only `prob` matters.

    The others are there because AutoAugment's policies give every transform a level.
    """

    def _change(self, image: np.ndarray, mag: float) -> np.ndarray:
        return mmcv.iminvert(image)
