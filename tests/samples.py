"""Heads and batches for the tests of models."""

import numpy as np
import torch
from mmengine.structures import InstanceData

from mmdet.structures import BitmapMasks, DetDataSample

MASK_FEATURE_HEAD = dict(
    feat_channels=8,
    start_level=0,
    end_level=3,
    out_channels=12,
    mask_stride=4,
    norm_cfg=dict(type='GN', num_groups=4),
)
# Of every kind, to be merged into the `tiny_model` of conftest.py
HEADS = {
    'solo': dict(type='SOLOHead'),
    'decoupled': dict(type='DecoupledSOLOHead'),
    'decoupled-light': dict(type='DecoupledSOLOLightHead'),
    'solov2': dict(type='SOLOV2Head', mask_feature_head=MASK_FEATURE_HEAD),
    'decoupled-light-dcn': dict(type='DecoupledSOLOLightHead', dcn_cfg=dict(type='DCN')),
    'solov2-dcn': dict(
        type='SOLOV2Head',
        mask_feature_head=dict(MASK_FEATURE_HEAD, conv_cfg=dict(type='DCNv2')),
        dcn_cfg=dict(type='DCNv2'),
    ),
}


def rectangle(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    """Return a (height, width) uint8 bitmap that fills `box` (x1, y1, x2, y2)."""
    mask = np.zeros((height, width), np.uint8)
    x1, y1, x2, y2 = box
    mask[y1:y2, x1:x2] = 1
    return mask


def sample_of(
    boxes: list[tuple[int, int, int, int]],
    labels: list[int] | None = None,
    *,
    shape: tuple[int, int] = (96, 128),
    masks: list[np.ndarray] | None = None,
) -> DetDataSample:
    """Return a sample whose instances fill their boxes, or have the given masks."""
    height, width = shape
    if masks is None:
        masks = [rectangle(height, width, box) for box in boxes]
    sample = DetDataSample(
        metainfo=dict(img_shape=shape, ori_shape=shape, batch_input_shape=shape, img_id=0)
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels or [0] * len(boxes), dtype=torch.long),
        masks=BitmapMasks(masks, height, width).pack(),
    )
    return sample


def batch_of(samples: list[DetDataSample]) -> dict:
    """Return what a data loader would: random images for the samples."""
    images = [
        torch.randint(0, 256, (3, *sample.img_shape), dtype=torch.uint8) for sample in samples
    ]
    return dict(inputs=images, data_samples=samples)
