"""A small head of each kind, and features for it."""

import pytest
import torch

from mmdet.models import BaseSOLOHead
from mmdet.registry import MODELS
from tests.samples import HEADS


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
