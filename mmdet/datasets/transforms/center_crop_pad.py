"""CenterNet's crops (Zhou et al. 2019, arXiv 1904.07850): windows that may pass the border."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

from .arguments import as_color, require
from .instances import select_instances
from .placing import centres_within, paste, place_instances, reach_into

_TRIES = 1000


@TRANSFORMS.register_module()
class RandomCenterCropPad(BaseTransform):
    """Cut a window out about a random point of the image, with one colour where it reaches over.

    An instance stays if the middle of its box is in the window. One of them must be; where none
    is in 1,000 windows, the image is skipped.

    Args:
        crop_size: (w, h) in pixels.
        ratios: it is multiplied by one of these.
        border: the point lies so far from the image's border, less in a small image.
        mean: the colour.
        std: has no effect, here as in mmdetection, which asks for it.
        to_rgb: `mean` is RGB, as where a model turns BGR into RGB; the image here is BGR.
        test_mode: only False: SOLO's results would lie where the image has been moved to.
        test_pad_mode: only None, as mmdetection wants it in training.
        bbox_clip_border: cut boxes at the window's border.
    """

    def __init__(
        self,
        crop_size: tuple[int, int],
        ratios: Sequence[float] = (0.9, 1.0, 1.1),
        border: int = 128,
        mean: Sequence[float] = (0, 0, 0),
        std: Sequence[float] | None = None,
        to_rgb: bool = True,
        test_mode: Literal[False] = False,
        test_pad_mode: None = None,
        bbox_clip_border: bool = True,
    ) -> None:
        require(
            self,
            test_mode is False and test_pad_mode is None,
            'test_mode and test_pad_mode are not there: use Pad for testing',
        )
        positive = len(crop_size) == 2 and all(side >= 2 for side in crop_size)
        require(self, positive, f'crop_size is {crop_size!r}, not two numbers of pixels')
        positive = len(ratios) > 0 and all(ratio > 0 for ratio in ratios)
        require(self, positive, f'ratios is {ratios!r}, not a list of positive numbers')
        require(self, border > 0, f'border is {border!r}, not a positive number')
        mean = as_color(self, 'mean', mean)
        self.mean = mean[::-1] if to_rgb else mean
        self.crop_size = crop_size
        self.ratios = ratios
        self.border = border
        self.bbox_clip_border = bbox_clip_border

    def transform(self, results: dict) -> dict | None:
        """Return results of a window, or None for an image to skip.

        Raises:
            UserError: the image is not float32, as in mmdetection.
        """
        image = results['img']
        if image.dtype != np.float32:
            raise UserError(
                f'RandomCenterCropPad needs a float32 image, not {image.dtype}: give '
                'LoadImageFromFile to_float32=True'
            )
        tried = 0
        while tried < _TRIES:
            ratio = np.random.choice(self.ratios)
            shape = int(self.crop_size[1] * ratio), int(self.crop_size[0] * ratio)
            for _ in range(50):
                tried += 1
                window = self._window(results, *shape)
                if window is not None:
                    return window
        return None

    def _window(self, results: dict, window_height: int, window_width: int) -> dict | None:
        """Return results of a random window, or None where it has no instance of some."""
        image = results['img']
        height, width = image.shape[:2]
        from_x, from_y = _border(self.border, width), _border(self.border, height)
        centre_x = np.random.randint(from_x, width - from_x)
        centre_y = np.random.randint(from_y, height - from_y)
        half_width, half_height = window_width // 2, window_height // 2
        x, y = half_width - centre_x, half_height - centre_y
        shown = (
            max(0, -x),
            max(0, -y),
            min(centre_x + half_width, width),
            min(centre_y + half_height, height),
        )
        shape = (window_height, window_width)
        placed = results
        if 'gt_bboxes' in results:
            keep = centres_within(results['gt_bboxes'], shown)
            if len(keep) and not keep.any():
                return None
            placed = select_instances(results, keep)
            placed = place_instances(placed, (x, y), shape, clip=self.bbox_clip_border)
            placed = select_instances(placed, reach_into(placed['gt_bboxes'], shape))
        canvas = np.full((*shape, 3), self.mean, np.float32)
        x1, y1, x2, y2 = shown
        paste(image[y1:y2, x1:x2], canvas, (x1 + x, y1 + y))
        return {**placed, 'img': canvas, 'img_shape': shape}


def _border(border: int, side: int) -> int:
    """Return how far from the border of a side the point lies: the border, halved until it fits."""
    k = 2 * border / side
    i = pow(2, np.ceil(np.log2(np.ceil(k))) + (k == int(k)))
    return int(border // i)
