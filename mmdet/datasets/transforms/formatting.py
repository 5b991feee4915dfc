"""The last step of a pipeline: what goes to the model."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import InstanceData

from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample

from .instances import select_instances


@TRANSFORMS.register_module()
class PackDetInputs(BaseTransform):
    """Make `inputs`, a (3, h, w) uint8 tensor, and `data_samples`, a `DetDataSample`.

    Masks are packed to a bit a pixel of their boxes: a worker that sends (N, h, w) bytes spends
    longer on that than on everything else. Ignored instances do not leave the worker: nothing
    learns from them.

    Args:
        meta_keys: entries of the results that become the sample's metainfo.
    """

    def __init__(
        self,
        meta_keys: Sequence[str] = (
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'flip',
            'flip_direction',
        ),
    ) -> None:
        self.meta_keys = meta_keys

    def transform(self, results: dict) -> dict:
        sample = DetDataSample(
            metainfo={key: results[key] for key in self.meta_keys if key in results}
        )
        if 'gt_ignore_flags' in results:
            wanted = select_instances(results, ~results['gt_ignore_flags'])
            sample.gt_instances = InstanceData()
            if 'gt_bboxes' in wanted:
                sample.gt_instances.bboxes = torch.from_numpy(wanted['gt_bboxes'])
            if 'gt_bboxes_labels' in wanted:
                sample.gt_instances.labels = torch.from_numpy(wanted['gt_bboxes_labels'])
            if 'gt_masks' in wanted:
                sample.gt_instances.masks = wanted['gt_masks'].pack()
        image = results['img']
        planes = np.empty((image.shape[2], *image.shape[:2]), image.dtype)
        cv2.split(image, list(planes))  # a quarter of the time of a transposed copy
        return dict(inputs=torch.from_numpy(planes), data_samples=sample)
