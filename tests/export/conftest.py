"""Small detectors of every kind, whose masks and scores are not all alike."""

import copy

import pytest
import torch
from mmengine.config import Config

from mmdet.apis import init_detector
from tests.samples import HEADS

STEPS = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 96), keep_ratio=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
MODEL = dict(
    type='SOLO',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    # No more layers than it takes: an exporter is slow with each.
    backbone=dict(type='ResNet', depth=18, base_channels=8, num_stages=3, out_indices=(0, 1, 2)),
    neck=dict(type='FPN', in_channels=[8, 16, 32], out_channels=16, num_outs=4),
    mask_head=dict(
        type='SOLOHead',
        num_classes=3,
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
        strides=[8, 8, 16, 16],
        scale_ranges=((1, 96), (48, 192), (96, 384), (192, 2048)),
        num_grids=[10, 9, 6, 4],
        norm_cfg=dict(type='GN', num_groups=4),
    ),
)
# Nearly every pixel is above or below one half where weights are random: masks of all sizes.
TEST_CFG = dict(score_thr=0.3, mask_thr=0.2, filter_thr=0.01, max_per_img=30)


@pytest.fixture(scope='session')
def build_detector(registered):
    """Build a detector of `HEADS` with random weights."""

    def build(kind: str, **test_cfg: object):
        torch.manual_seed(0)
        model = copy.deepcopy(MODEL)
        model['mask_head'].update(HEADS[kind])
        model['test_cfg'] = {**TEST_CFG, **test_cfg}
        detector = init_detector(Config(dict(model=model, test_pipeline=STEPS)), device='cpu')
        for parameter in detector.parameters():
            parameter.requires_grad_(False)
            std = 0.3 if parameter.ndim == 1 else parameter[0].numel() ** -0.5
            parameter.normal_(std=std)
        return detector

    return build


@pytest.fixture
def images():
    """Noise of several sizes."""
    generator = torch.Generator().manual_seed(1)
    sizes = [(96, 128), (300, 400), (120, 90)]
    return [
        torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=generator).numpy()
        for size in sizes
    ]
