"""Every shipped config is whole: it passes the checks, and its model and pipelines are built."""

import argparse

import pytest
import torch
from mmengine.dataset import Compose

from mmdet.engine.launch import add_common_arguments, load_config
from mmdet.registry import METRICS, MODELS, VISUALIZERS
from tests.conftest import REPO

CONFIGS = sorted((REPO / 'configs').glob('[!_]*/*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_builds(path):
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    add_common_arguments(parser)
    cfg = load_config(parser.parse_args([str(path)]))
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert sum(parameter.numel() for parameter in model.parameters()) > 10_000
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        Compose(cfg[loader].dataset.pipeline)
    METRICS.build(cfg.val_evaluator)
    METRICS.build(cfg.test_evaluator)
    VISUALIZERS.build({**cfg.visualizer, 'name': path.stem, 'save_dir': None})
    assert cfg.train_cfg.max_epochs > 0


def test_there_are_configs():
    assert len(CONFIGS) >= 2
