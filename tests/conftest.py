"""What many tests share: the scope, a small model, a small data set on disk."""

import gc
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdet.datasets.shapes import draw_dataset
from mmdet.utils import register_all_modules
from tests.devices import remote_device

REPO = Path(__file__).parents[1]

# Tests import PyAV by themselves, too: see `mmdet.apis.sources.video_file`.
os.register_at_fork(before=gc.collect)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption('--faults', action='store_true', help='run the tests that take minutes, too')


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason='takes minutes: bash tests/run.sh --faults')
    for item in items:
        if item.get_closest_marker('long') and not config.getoption('--faults'):
            item.add_marker(skip)


@pytest.fixture(scope='session', autouse=True)
def registered():
    """Names in configs mean this project's classes, as in a runner."""
    register_all_modules()


@pytest.fixture(scope='session', autouse=True)
def one_thread():
    """Here, and in the processes that tests start: threads of small models wait for each other."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('OMP_NUM_THREADS', '1')
        yield


@pytest.fixture(scope='session', autouse=True)
def ctrl_c():
    """What a shell starts in the background ignores Ctrl-C, and so would all that tests start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def seeded():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def other_device() -> Iterator[torch.device]:
    """A device that is not the CPU: a GPU, or what keeps a GPU's rules where there is none."""
    if torch.cuda.is_available():
        yield torch.device('cuda', 0)
        return
    with remote_device() as device:
        yield device


@pytest.fixture(scope='session')
def shared() -> Path:
    """The folder with reference numbers and real images, beside the checkout."""
    folder = REPO.parent / 'shared'
    if not (folder / 'reference').is_dir():
        pytest.skip(f'{folder} with reference cases and real images is absent')
    return folder


@pytest.fixture(scope='session')
def shapes_root(tmp_path_factory) -> Path:
    """A data set in COCO's layout: 12 images to train on, 7 to validate with."""
    root = tmp_path_factory.mktemp('data') / 'shapes'
    draw_dataset(str(root), num_train=12, num_val=7, seed=3)
    return root


@pytest.fixture
def tiny_model() -> dict:
    """Config of a SOLO that runs in milliseconds."""
    return dict(
        type='SOLO',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_mask=True,
            pad_size_divisor=32,
        ),
        backbone=dict(type='ResNet', depth=18, base_channels=8),
        neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5),
        mask_head=dict(
            type='SOLOHead',
            num_classes=3,
            in_channels=16,
            feat_channels=16,
            stacked_convs=1,
            strides=[8, 8, 16, 32, 32],
            scale_ranges=((1, 96), (48, 192), (96, 384), (192, 768), (384, 2048)),
            num_grids=[10, 9, 6, 4, 3],
            norm_cfg=dict(type='GN', num_groups=4),
        ),
        test_cfg=dict(score_thr=0.0, filter_thr=0.0),
    )


@pytest.fixture(scope='session')
def environment(one_thread: None) -> dict[str, str]:
    """Environment for processes that a test starts: this checkout, one thread."""
    return {**os.environ, 'PYTHONPATH': str(REPO), 'PYTHONUNBUFFERED': '1'}


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 2 MB."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('to mount a small disk takes root')
    yield folder
    subprocess.run(['umount', '-l', str(folder)], check=True)
