"""A model for the tests of what uses one: small, untrained, and it finds something everywhere."""

from pathlib import Path

import torch
from mmengine.config import Config

from mmdet.apis import init_detector
from mmdet.apis.detector import Detector
from mmdet.registry import MODELS

CLASSES = ('red', 'green', 'traffic light/blue')


def config_of(tiny_model: dict) -> Config:
    """Return a config with the `tiny_model` of conftest.py, for pictures of 96 x 128."""
    test_cfg = dict(score_thr=0.0, mask_thr=0.01, filter_thr=0.0, max_per_img=5)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(128, 96), keep_ratio=True),
        dict(type='PackDetInputs'),
    ]
    dataset = dict(type='CocoDataset', pipeline=pipeline, metainfo=dict(classes=CLASSES))
    model = dict(tiny_model, test_cfg=test_cfg)
    return Config(dict(model=model, test_dataloader=dict(dataset=dataset)))


def detector_of(tiny_model: dict) -> Detector:
    """Return the model with random weights."""
    return init_detector(config_of(tiny_model), device='cpu')


def write_checkpoint(path: Path, tiny_model: dict) -> str:
    """Write the model as a checkpoint that carries its config."""
    cfg = config_of(tiny_model)
    model = MODELS.build(cfg.model)  # it need not have been initialised, which is long to say
    meta = dict(cfg_dict=cfg.to_dict(), dataset_meta=dict(classes=CLASSES))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return str(path)
