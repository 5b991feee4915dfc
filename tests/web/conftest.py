"""Untrained models in checkpoints that carry their config."""

from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config

from mmdet.apis import init_detector
from tests.apis.videos import scene

CLASSES = ('bolt', 'nut', '<b>washer</b>')
_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 96), keep_ratio=True),
    dict(type='PackDetInputs', meta_keys=('ori_shape', 'img_shape', 'scale_factor')),
]


@pytest.fixture
def detector(tiny_model):
    """A model that finds up to 12 things of all scores, wherever it looks."""
    tiny_model['test_cfg'].update(mask_thr=0.5, max_per_img=12, kernel='gaussian', sigma=2.0)
    dataset = dict(pipeline=_PIPELINE, metainfo=dict(classes=CLASSES))
    cfg = Config(dict(model=tiny_model, test_dataloader=dict(dataset=dataset)))
    model = init_detector(cfg, device='cpu')
    for layer in (model.mask_head.conv_cls, *model.mask_head.conv_mask_list):
        torch.nn.init.normal_(layer.weight, std=0.5)
        torch.nn.init.zeros_(layer.bias)
    return model


@pytest.fixture
def checkpoints(detector, tmp_path) -> list[str]:
    """Two of one model, of which the second has other scores."""
    paths = [tmp_path / 'first.pth', tmp_path / 'second.pth']
    for path in paths:
        content = dict(
            meta=dict(cfg_dict=detector.cfg.to_dict(), dataset_meta=dict(classes=CLASSES)),
            state_dict=detector.state_dict(),
        )
        torch.save(content, path)
        torch.nn.init.ones_(detector.mask_head.conv_cls.bias)
    return list(map(str, paths))


@pytest.fixture
def picture(tmp_path) -> Path:
    """A photo of some shapes."""
    image = cv2.GaussianBlur(scene(0), (0, 0), 2)
    cv2.circle(image, (40, 40), 20, (0, 0, 255), -1)
    cv2.rectangle(image, (70, 30), (110, 80), (255, 0, 0), -1)
    path = tmp_path / 'my photo.png'
    cv2.imwrite(str(path), image)
    return path
