"""A small head of every kind, and features for it."""

import pytest
import torch

from mmdet.models import BaseSOLOHead
from mmdet.registry import MODELS

MASK_FEATURE_HEAD = dict(
    feat_channels=8,
    start_level=0,
    end_level=3,
    out_channels=12,
    mask_stride=4,
    norm_cfg=dict(type='GN', num_groups=4),
)
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


@pytest.fixture
def build_head(tiny_model):
    """Build a head of `HEADS` whose masks and scores are not all alike."""

    def build(kind: str, **more: object) -> BaseSOLOHead:
        cfg = {**tiny_model['mask_head'], 'test_cfg': tiny_model['test_cfg'], **HEADS[kind], **more}
        head = MODELS.build(cfg)
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.normal_(std=0.3)
        return head

    return build


@pytest.fixture(params=HEADS)
def head(request, build_head) -> BaseSOLOHead:
    return build_head(request.param)


@pytest.fixture
def feats() -> list[torch.Tensor]:
    """Levels of two 96 x 128 images at strides 4 to 64."""
    return [torch.randn(2, 16, 96 // s, 128 // s) for s in (4, 8, 16, 32)] + [
        torch.randn(2, 16, 2, 2)
    ]
