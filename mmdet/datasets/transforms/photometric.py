"""Random brightness, contrast, saturation and hue."""

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

from .arguments import check_range, check_within


@TRANSFORMS.register_module()
class PhotoMetricDistortion(BaseTransform):
    """Change brightness, contrast, saturation and hue, and swap channels, each every second time.

    Contrast comes before the change of colours or after it. The image becomes float32, and is not
    cut to 0 to 255.

    Args:
        brightness_delta: values rise or fall by at most so much.
        contrast_range: values are multiplied by a number of it.
        saturation_range: the saturation is multiplied by a number of it.
        hue_delta: in degrees, 0 to 360.
    """

    def __init__(
        self,
        brightness_delta: float = 32,
        contrast_range: tuple[float, float] = (0.5, 1.5),
        saturation_range: tuple[float, float] = (0.5, 1.5),
        hue_delta: float = 18,
    ) -> None:
        check_within(self, 0, 255, brightness_delta=brightness_delta)
        check_within(self, 0, 360, hue_delta=hue_delta)
        check_range(
            self,
            0,
            float('inf'),
            contrast_range=contrast_range,
            saturation_range=saturation_range,
        )
        self.brightness_delta = brightness_delta
        self.contrast_range = contrast_range
        self.saturation_range = saturation_range
        self.hue_delta = hue_delta

    def transform(self, results: dict) -> dict:
        """Return results with a float32 `img`."""
        # All is drawn, whether it is used or not, in mmdetection's order.
        contrast_first, *flags = np.random.randint(2, size=6).astype(bool)
        with_brightness, with_contrast, with_saturation, with_hue, with_swap = flags
        brightness = np.random.uniform(-self.brightness_delta, self.brightness_delta)
        contrast = np.random.uniform(*self.contrast_range)
        saturation = np.random.uniform(*self.saturation_range)
        hue = np.random.uniform(-self.hue_delta, self.hue_delta)
        channels = np.random.permutation(3)

        image = results['img'].astype(np.float32)
        if with_brightness:
            image += brightness
        if with_contrast and contrast_first:
            image *= contrast
        image = mmcv.bgr2hsv(image)
        if with_saturation:
            image[..., 1] *= saturation
            if saturation > 1:
                image[..., 1] = image[..., 1].clip(0, 1)
        if with_hue:
            image[..., 0] += hue
            image[..., 0][image[..., 0] > 360] -= 360
            image[..., 0][image[..., 0] < 0] += 360
        image = mmcv.hsv2bgr(image)
        if with_contrast and not contrast_first:
            image *= contrast
        if with_swap:
            image = np.ascontiguousarray(image[..., channels])
        return {**results, 'img': image}


@TRANSFORMS.register_module()
class YOLOXHSVRandomAug(BaseTransform):
    """Add random numbers to hue, saturation and value, each every second time, as YOLOX does.

    Args:
        hue_delta: at most so much, of 180.
        saturation_delta: at most so much, of 255.
        value_delta: at most so much, of 255.
    """

    def __init__(
        self, hue_delta: int = 5, saturation_delta: int = 30, value_delta: int = 30
    ) -> None:
        check_within(self, 0, 180, hue_delta=hue_delta)
        check_within(self, 0, 255, saturation_delta=saturation_delta, value_delta=value_delta)
        self.deltas = (hue_delta, saturation_delta, value_delta)

    def transform(self, results: dict) -> dict:
        """Return results with another `img`.

        Raises:
            UserError: the image is not uint8.
        """
        if results['img'].dtype != np.uint8:
            raise UserError(
                f'YOLOXHSVRandomAug needs a uint8 image, not {results["img"].dtype}: put it before '
                'PhotoMetricDistortion, and load without to_float32'
            )
        gains = np.random.uniform(-1, 1, 3) * self.deltas
        gains *= np.random.randint(0, 2, 3)
        hue, saturation, value = gains.astype(np.int16)
        image = cv2.cvtColor(results['img'], cv2.COLOR_BGR2HSV).astype(np.int16)
        image[..., 0] = (image[..., 0] + hue) % 180
        image[..., 1] = (image[..., 1] + saturation).clip(0, 255)
        image[..., 2] = (image[..., 2] + value).clip(0, 255)
        return {**results, 'img': cv2.cvtColor(image.astype(np.uint8), cv2.COLOR_HSV2BGR)}
