"""Four images in one, as in YOLOv4 (Bochkovskiy et al. 2020, arXiv 2004.10934)."""

from functools import reduce

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset

from mmdet.registry import TRANSFORMS

from .arguments import check_range, check_within, require
from .instances import join_instances, select_instances
from .mixing import mixed_with
from .placing import paste, place_instances, reach_into


@TRANSFORMS.register_module()
class Mosaic(BaseTransform):
    """Four images, with their instances, about a random point of one of twice their size.

    For the pipeline of a `MultiImageMixDataset`. Each image is scaled to fit `img_scale`, touches
    the point with a corner, and is cut at the border.

    Args:
        img_scale: (w, h) in pixels of one of the four; the result is twice as wide and high.
        center_ratio_range: the point lies at so many parts of `img_scale`, 0 to 2.
        bbox_clip_border: cut boxes at the result's border.
        pad_val: what is drawn where no image lies, 0 to 255.
        prob: how often.
    """

    def __init__(
        self,
        img_scale: tuple[int, int] = (640, 640),
        center_ratio_range: tuple[float, float] = (0.5, 1.5),
        bbox_clip_border: bool = True,
        pad_val: float = 114.0,
        prob: float = 1.0,
    ) -> None:
        positive = len(img_scale) == 2 and all(side > 0 for side in img_scale)
        require(self, positive, f'img_scale is {img_scale!r}, not a width and a height')
        check_range(self, 0, 2, center_ratio_range=center_ratio_range)
        check_within(self, 0, 255, pad_val=pad_val)
        check_within(self, 0, 1, prob=prob)
        self.img_scale = img_scale
        self.center_ratio_range = center_ratio_range
        self.bbox_clip_border = bbox_clip_border
        self.pad_val = pad_val
        self.prob = prob

    def get_indexes(self, dataset: BaseDataset) -> list[int]:
        """Return the indices of three random images."""
        return np.random.randint(0, len(dataset), 3).tolist()

    def transform(self, results: dict) -> dict:
        """Return results of four images; `results['mix_results']` holds those of three.

        Raises:
            UserError: there are not three.
        """
        if np.random.uniform(0, 1) > self.prob:
            return results
        images = [results, *mixed_with(self, results, 3)]
        width, height = self.img_scale
        centre_x = int(np.random.uniform(*self.center_ratio_range) * width)
        centre_y = int(np.random.uniform(*self.center_ratio_range) * height)
        shape = (2 * height, 2 * width)
        canvas = np.full((*shape, 3), self.pad_val, results['img'].dtype)
        parts = []
        for index, part in enumerate(images):
            part = _scale_to_fit(part, self.img_scale)
            part_height, part_width = part['img'].shape[:2]
            is_right, is_below = index % 2 == 1, index >= 2
            corner = (
                centre_x if is_right else centre_x - part_width,
                centre_y if is_below else centre_y - part_height,
            )
            paste(part['img'], canvas, corner)
            parts.append(place_instances(part, corner, shape, clip=self.bbox_clip_border))
        joined: dict = {**reduce(join_instances, parts), 'img': canvas, 'img_shape': shape}
        if 'gt_bboxes' not in joined:
            return joined
        return select_instances(joined, reach_into(joined['gt_bboxes'], shape))


def _scale_to_fit(results: dict, scale: tuple[int, int]) -> dict:
    """Return results whose image fits the scale (w, h), and touches it in one direction."""
    height, width = results['img'].shape[:2]
    ratio = min(scale[1] / height, scale[0] / width)
    size = int(width * ratio), int(height * ratio)
    scaled = {**results, 'img': cv2.resize(results['img'], size)}
    if 'gt_bboxes' in results:
        scaled['gt_bboxes'] = results['gt_bboxes'] * np.float32(ratio)
    if 'gt_masks' in results:
        scaled['gt_masks'] = results['gt_masks'].resize(size[::-1])
    return scaled
