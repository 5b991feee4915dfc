"""Every shipped config is whole: it passes the checks, and its model and pipelines are built."""

import argparse
import ast
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose

from mmdet.engine.config import add_common_arguments, load_config
from mmdet.registry import METRICS, MODELS, VISUALIZERS
from tests.conftest import REPO

CONFIGS = sorted((REPO / 'configs').glob('[!_]*/*.py'))
SHAPES = [path for path in CONFIGS if '_shapes' in path.stem]


def load(path: Path | str, *options: str) -> Config:
    """Load a config as the tools do."""
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    add_common_arguments(parser)
    return load_config(parser.parse_args([str(path), *options]))


def innermost_dataset(dataset: ConfigDict) -> ConfigDict:
    """Return the data set that reads files, out of those that repeat or mix it."""
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return dataset


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_builds(path):
    cfg = load(path)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert sum(parameter.numel() for parameter in model.parameters()) > 10_000
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        Compose(innermost_dataset(cfg[loader].dataset).pipeline)
    METRICS.build(cfg.val_evaluator)
    METRICS.build(cfg.test_evaluator)
    VISUALIZERS.build({**cfg.visualizer, 'name': path.stem, 'save_dir': None})
    assert cfg.train_cfg.get('max_epochs', cfg.train_cfg.get('max_iters')) > 0


@pytest.mark.parametrize('path', SHAPES, ids=lambda path: path.stem)
def test_a_checkpoint_loads_wherever_its_config_is_read(path, monkeypatch):
    models = []
    for has_gpu in (True, False):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda has_gpu=has_gpu: has_gpu)
        cfg = load(path)
        with torch.device('meta'):
            models.append(MODELS.build(cfg.model))
    models[1].load_state_dict(models[0].state_dict(), assign=True)


@pytest.mark.parametrize(
    'path', sorted((REPO / 'configs').rglob('*.py')), ids=lambda path: path.stem
)
def test_asks_the_machine_nothing(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Import | ast.ImportFrom), ast.unparse(node)


def test_shapes_has_a_narrower_network_for_the_cpu():
    """One for each, which sees whole images on a GPU and half of them on a CPU."""
    for path in SHAPES:
        if not path.stem.endswith('-cpu'):
            whole, half = load(path), load(path.with_stem(f'{path.stem}-cpu'))
            assert whole.model.mask_head.type == half.model.mask_head.type
            assert whole.model.mask_head.in_channels > half.model.mask_head.in_channels
            for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
                steps = {step.type: step for step in half[loader].dataset.pipeline}
                assert steps.pop('Resize').scale_factor == 0.5
                assert list(steps.values()) == whole[loader].dataset.pipeline


def test_every_published_model_has_a_config():
    """Those of the original repository; `test_mmdet_configs.py` lists mmdetection's."""
    names = {path.stem.removesuffix('_coco') for path in CONFIGS}
    solo = {f'solo_{rest}' for rest in ('r50_fpn_1x', 'r50_fpn_3x', 'r101_fpn_3x')}
    decoupled = {f'decoupled-{name}' for name in solo}
    light = {f'decoupled-solo-light{dcn}_r50_fpn_3x' for dcn in ('', '-dcn')}
    depths = ('r50', 'r101', 'r101-dcn', 'x101-dcn')
    solov2 = {f'solov2_{depth}_fpn_ms-3x' for depth in depths} | {'solov2_r50_fpn_1x'}
    solov2 |= {f'solov2-light_{depth}_fpn_ms-3x' for depth in ('r18', 'r34', 'r50', 'r50-dcn')}
    assert solo | decoupled | light | solov2 <= names


def test_tables_link_to_every_config():
    for folder in ('solo', 'solov2'):
        readme = (REPO / 'configs' / folder / 'README.md').read_text()
        for path in (REPO / 'configs' / folder).glob('*.py'):
            assert f']({path.name})' in readme, path
