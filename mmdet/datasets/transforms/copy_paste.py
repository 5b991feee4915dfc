"""Simple Copy-Paste (Ghiasi et al. 2021, arXiv 2012.07177): objects of one image onto another."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from mmdet.structures.masks import BitmapMasks

from .instances import join_instances, select_instances


@TRANSFORMS.register_module()
class CopyPaste(BaseTransform):
    """Paste objects of a second image, of the same size, where they are.

    For the pipeline of a `MultiImageMixDataset`. What the pasted objects cover is cut out of the
    masks below, and the boxes are taken from what is left of these. An instance of the first image
    is left out if nothing of it shows, or if its box moved by more than `bbox_occluded_thr` and no
    more than `mask_occluded_thr` of its pixels show.

    Args:
        max_num_pasted: at most so many objects are pasted.
        bbox_occluded_thr: in pixels, of each side of a box.
        mask_occluded_thr: in pixels.
        selected: paste a random number of objects, chosen at random; otherwise all of them.
    """

    def __init__(
        self,
        max_num_pasted: int = 100,
        bbox_occluded_thr: float = 10,
        mask_occluded_thr: float = 300,
        selected: bool = True,
    ) -> None:
        self.max_num_pasted = max_num_pasted
        self.bbox_occluded_thr = bbox_occluded_thr
        self.mask_occluded_thr = mask_occluded_thr
        self.selected = selected

    def get_indexes(self, dataset: BaseDataset) -> int:
        """Return the index of a random second image."""
        return np.random.randint(len(dataset))

    def transform(self, results: dict) -> dict:
        """Return new results; `results['mix_results']` holds those of the second image.

        Raises:
            UserError: there is no second image, no masks, or the sizes differ.
        """
        if 'mix_results' not in results or 'gt_masks' not in results:
            raise UserError(
                'CopyPaste needs two images with masks: put it into the pipeline of a '
                'MultiImageMixDataset whose inner data set has LoadAnnotations with '
                'with_mask=True, and PackDetInputs only after it'
            )
        (source,) = results['mix_results']
        if source['img_shape'] != results['img_shape']:
            raise UserError(
                f'CopyPaste needs images of one size, not {results["img_shape"]} and '
                f"{source['img_shape']}: end the inner data set's pipeline with "
                "dict(type='Pad', size=(w, h))"
            )
        if self.selected:
            source = select_instances(source, self._choose(len(source['gt_masks'])))
        if len(source['gt_masks']) == 0:
            return results
        covered = source['gt_masks'].masks.any(0)
        return {
            **join_instances(self._cut(results, covered), source),
            'img': np.where(covered[..., None], source['img'], results['img']),
        }

    def _choose(self, count: int) -> np.ndarray:
        """Return indices of some of `count` objects."""
        number = np.random.randint(min(count, self.max_num_pasted) + 1)
        return np.random.choice(count, size=number, replace=False)

    def _cut(self, results: dict, covered: np.ndarray) -> dict:
        """Return the results without what the (h, w) booleans `covered` hide."""
        masks = results['gt_masks']
        left = BitmapMasks(masks.masks * ~covered, masks.height, masks.width)
        boxes = left.get_bboxes()
        moved = (np.abs(boxes - results['gt_bboxes']) > self.bbox_occluded_thr).any(1)
        keep = left.areas > np.where(moved, self.mask_occluded_thr, 0)
        return select_instances({**results, 'gt_masks': left, 'gt_bboxes': boxes}, keep)
