"""A small model with random weights that finds something, as a config and as a checkpoint."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdet.engine.checkpoint import to_plain
from mmdet.registry import MODELS

COLORS = ('red', 'green', 'blue')


@pytest.fixture
def settings(tiny_model) -> dict:
    """What a config file would hold, with a test pipeline as mmdetection writes it."""
    tiny_model['test_cfg'].update(mask_thr=0.01, max_per_img=5)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(128, 96), keep_ratio=True),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
        dict(type='PackDetInputs', meta_keys=('img_path', 'ori_shape', 'img_shape')),
    ]
    meta = dict(classes=COLORS)
    loader = dict(dataset=dict(type='CocoDataset', metainfo=meta, pipeline=pipeline))
    return dict(
        model=tiny_model,
        train_dataloader=loader,
        test_dataloader=loader,
        visualizer=dict(
            type='DetLocalVisualizer',
            vis_backends=[dict(type='LocalVisBackend')],
            name='visualizer',
        ),
    )


@pytest.fixture
def config(settings, tmp_path) -> Path:
    """The config's file."""
    path = tmp_path / 'tiny.py'
    Config(settings).dump(str(path))
    return path


@pytest.fixture
def checkpoint(settings, tmp_path) -> Path:
    """A checkpoint that carries the config."""
    path = tmp_path / 'epoch_1.pth'
    model = MODELS.build(Config(settings).model)
    meta = dict(cfg_dict=to_plain(settings, name='cfg'), dataset_meta=dict(classes=('a', 'b', 'c')))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return path
