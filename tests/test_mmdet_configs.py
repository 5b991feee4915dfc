"""mmdetection 3.3's own SOLO and SOLOv2 config files run unchanged."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose

from mmdet.registry import METRICS, MODELS
from tests.conftest import REPO
from tests.test_configs import innermost_dataset, load

NAMES = [
    'solo/decoupled-solo-light_r50_fpn_3x_coco',
    'solo/decoupled-solo_r50_fpn_1x_coco',
    'solo/decoupled-solo_r50_fpn_3x_coco',
    'solo/solo_r101_fpn_8xb8-lsj-200e_coco',
    'solo/solo_r18_fpn_8xb8-lsj-200e_coco',
    'solo/solo_r50_fpn_1x_coco',
    'solo/solo_r50_fpn_3x_coco',
    'solo/solo_r50_fpn_8xb8-lsj-200e_coco',
    'solov2/solov2-light_r18_fpn_ms-3x_coco',
    'solov2/solov2-light_r34_fpn_ms-3x_coco',
    'solov2/solov2-light_r50-dcn_fpn_ms-3x_coco',
    'solov2/solov2-light_r50_fpn_ms-3x_coco',
    'solov2/solov2_r101-dcn_fpn_ms-3x_coco',
    'solov2/solov2_r101_fpn_ms-3x_coco',
    'solov2/solov2_r50_fpn_1x_coco',
    'solov2/solov2_r50_fpn_ms-3x_coco',
    'solov2/solov2_x101-dcn_fpn_ms-3x_coco',
]


@pytest.fixture(scope='module')
def their_configs(tmp_path_factory) -> Path:
    """The `configs` folder of mmdet 3.3.0's wheel."""
    folder = tmp_path_factory.mktemp('mmdet33')
    command = [sys.executable, '-m', 'pip', 'download', '-q', '--no-deps', '-d', folder]
    download = subprocess.run(
        [*command, 'mmdet==3.3.0'], capture_output=True, text=True, timeout=120
    )
    if download.returncode:
        pytest.skip(f"mmdet 3.3.0's wheel cannot be downloaded: {download.stderr[-200:]}")
    with zipfile.ZipFile(next(folder.glob('*.whl'))) as wheel:
        wheel.extractall(folder)
    return folder / 'mmdet/.mim/configs'


def parameters(cfg: Config) -> dict[str, torch.Size]:
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    return {name: value.shape for name, value in model.state_dict().items()}


def pipeline(cfg: Config, loader: str) -> list[dict]:
    """Return a loader's pipeline, which is built too, without arguments that are None."""
    steps = innermost_dataset(cfg[loader].dataset).pipeline
    Compose(steps)
    return [{key: value for key, value in step.items() if value is not None} for step in steps]


@pytest.mark.parametrize('name', NAMES)
def test_it_builds_and_is_what_ours_of_that_name_is(their_configs, name):
    theirs = load(their_configs / f'{name}.py')
    ours = load(REPO / 'configs' / f'{name}.py')
    assert parameters(theirs) == parameters(ours)
    METRICS.build(theirs.test_evaluator)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert pipeline(theirs, loader) == pipeline(ours, loader)
    for key in ('strides', 'scale_ranges', 'pos_scale', 'num_grids', 'cls_down_index'):
        assert theirs.model.mask_head[key] == ours.model.mask_head[key], key
    assert theirs.model.test_cfg == ours.model.test_cfg
    assert theirs.optim_wrapper == ours.optim_wrapper
    assert theirs.param_scheduler == ours.param_scheduler
    assert theirs.train_cfg == ours.train_cfg
    assert theirs.train_dataloader.batch_size == ours.train_dataloader.batch_size
    assert theirs.auto_scale_lr.base_batch_size == ours.auto_scale_lr.base_batch_size


def test_the_list_above_is_complete(their_configs):
    found = {
        f'{path.parent.name}/{path.stem}'
        for folder in ('solo', 'solov2')
        for path in (their_configs / folder).glob('*.py')
    }
    assert found == set(NAMES)


def test_options_of_the_command_line_reach_it(their_configs):
    cfg = load(
        their_configs / 'solov2/solov2_r50_fpn_1x_coco.py',
        '--cfg-options',
        'model.mask_head.mask_feature_head.out_channels=64',
        'model.test_cfg.nms_pre=100',
    )
    assert parameters(cfg)['mask_head.conv_kernel.weight'][0] == 64
    assert cfg.model.test_cfg.nms_pre == 100
