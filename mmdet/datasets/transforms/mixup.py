"""The mean of two images, as in YOLOX (Ge et al. 2021, arXiv 2107.08430)."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset

from mmdet.registry import TRANSFORMS

from .arguments import check_range, check_within, require
from .instances import join_instances, select_instances
from .mixing import mixed_with
from .placing import paste, place_instances, reach_into
from .warp import clip_boxes


@TRANSFORMS.register_module()
class MixUp(BaseTransform):
    """The mean of an image and a part of a second one, with the instances of both.

    For the pipeline of a `MultiImageMixDataset`. The second image is scaled to fit `img_scale`,
    then by a random factor, may be mirrored, and is cut or filled up to the first one's size. A
    second image without instances changes nothing.

    Args:
        img_scale: (w, h) in pixels.
        ratio_range: the factor is one of it.
        flip_ratio: how often the second image is not mirrored, as in mmdetection.
        pad_val: what is drawn where the second image ends, 0 to 255.
        max_iters: so many images are looked at for one with instances.
        bbox_clip_border: cut boxes at the border.
    """

    def __init__(
        self,
        img_scale: tuple[int, int] = (640, 640),
        ratio_range: tuple[float, float] = (0.5, 1.5),
        flip_ratio: float = 0.5,
        pad_val: float = 114.0,
        max_iters: int = 15,
        bbox_clip_border: bool = True,
    ) -> None:
        positive = len(img_scale) == 2 and all(side > 0 for side in img_scale)
        require(self, positive, f'img_scale is {img_scale!r}, not a width and a height')
        check_range(self, 0.01, 100, ratio_range=ratio_range)
        check_within(self, 0, 1, flip_ratio=flip_ratio)
        check_within(self, 0, 255, pad_val=pad_val)
        check_within(self, 1, float('inf'), max_iters=max_iters)
        self.img_scale = img_scale
        self.ratio_range = ratio_range
        self.flip_ratio = flip_ratio
        self.pad_val = pad_val
        self.max_iters = int(max_iters)
        self.bbox_clip_border = bbox_clip_border

    def get_indexes(self, dataset: BaseDataset) -> int:
        """Return the index of a random image, with instances if some are found."""
        index = 0
        for _ in range(self.max_iters):
            index = np.random.randint(0, len(dataset))
            if dataset.get_data_info(index).get('instances'):
                break
        return index

    def transform(self, results: dict) -> dict:
        """Return results of two images; `results['mix_results']` holds those of the second.

        Raises:
            UserError: there is no second image.
        """
        (other,) = mixed_with(self, results, 1)
        if len(other['gt_bboxes']) == 0:
            return results
        other = self._scale(other)
        if np.random.uniform(0, 1) > self.flip_ratio:
            other = _mirror(other)
        shape = results['img'].shape[:2]
        # Where the second image is larger, a random part of it.
        offsets = [
            np.random.randint(0, theirs - ours) if theirs > ours else 0
            for theirs, ours in zip(other['img'].shape, shape, strict=False)
        ]
        corner = (-offsets[1], -offsets[0])
        canvas = np.full((*shape, 3), self.pad_val).astype(np.uint8)
        paste(other['img'].astype(np.uint8), canvas, corner)
        mean = 0.5 * results['img'].astype(np.float32) + 0.5 * canvas.astype(np.float32)
        placed = place_instances(other, corner, shape, clip=self.bbox_clip_border)
        joined = join_instances(results, placed)
        joined = select_instances(joined, reach_into(joined['gt_bboxes'], shape))
        return {**joined, 'img': mean.astype(np.uint8), 'img_shape': shape}

    def _scale(self, results: dict) -> dict:
        """Return results at a random scale, filled up at the right or at the bottom."""
        image = results['img']
        width, height = self.img_scale
        factor = np.random.uniform(*self.ratio_range)
        ratio = min(height / image.shape[0], width / image.shape[1])
        fitted = int(image.shape[1] * ratio), int(image.shape[0] * ratio)
        size = int(width * factor), int(height * factor)
        canvas = np.full((height, width, 3), self.pad_val)
        paste(cv2.resize(image, fitted), canvas, (0, 0))
        boxes = results['gt_bboxes'] * np.float32(ratio * factor)
        scaled = {**results, 'img': cv2.resize(canvas, size)}
        scaled['gt_bboxes'] = clip_boxes(boxes, size[::-1]) if self.bbox_clip_border else boxes
        if 'gt_masks' in results:
            masks = results['gt_masks'].resize(fitted[::-1]).pad((height, width))
            scaled['gt_masks'] = masks.resize(size[::-1])
        return scaled


def _mirror(results: dict) -> dict:
    width = results['img'].shape[1]
    x1, y1, x2, y2 = results['gt_bboxes'].T
    boxes = np.stack([width - x2, y1, width - x1, y2], axis=1)
    mirrored = {**results, 'img': results['img'][:, ::-1], 'gt_bboxes': boxes}
    if 'gt_masks' in results:
        mirrored['gt_masks'] = results['gt_masks'].flip('horizontal')
    return mirrored
