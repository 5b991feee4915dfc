from collections import OrderedDict
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from mmdet.engine.summary import describe_test, describe_training


class Images(Dataset):
    metainfo = dict(classes=('nut', 'bolt'))

    def __init__(self, ann_file: str, size: int) -> None:
        self.ann_file = ann_file
        self.size = size

    def __len__(self) -> int:
        return self.size


@pytest.fixture
def runner() -> SimpleNamespace:
    """What a summary looks at."""
    model = nn.Sequential(OrderedDict(backbone=nn.Linear(30, 40), neck=nn.Linear(40, 1)))
    model.neck.requires_grad_(False)
    optimizer = torch.optim.SGD(model.backbone.parameters(), lr=0.01)
    return SimpleNamespace(
        cfg=ConfigDict(filename='configs/a.py', model=dict(backbone=dict(depth=18))),
        model=model,
        train_loop=EpochBasedTrainLoop.__new__(EpochBasedTrainLoop),
        train_dataloader=DataLoader(Images('train.json', 2000), batch_size=4),
        val_loop=None,
        val_dataloader=DataLoader(Images('val.json', 7)),
        test_dataloader=DataLoader(Images('test.json', 9)),
        max_epochs=3,
        max_iters=1500,
        optim_wrapper=OptimWrapper(optimizer),
        work_dir='work_dirs/a',
        logger=SimpleNamespace(log_file='work_dirs/a/1.log'),
    )


def told(lines: str) -> dict[str, str]:
    return {line[2:14].strip(): line[15:] for line in lines.strip('\n').splitlines()}


def test_a_training(runner):
    assert told(describe_training(runner)) == {
        'config': 'configs/a.py',
        'model': 'Sequential: Linear 18, Linear; 1,281 parameters, 41 of them frozen',
        'training': '2,000 images, 2 classes: train.json',
        'schedule': '3 epochs of 500 steps with 4 images each; SGD, learning rate 0.01',
        'device': 'CPU, 1 thread',
        'goes to': 'work_dirs/a',
        'log': 'work_dirs/a/1.log',
    }


def test_a_training_that_is_validated_and_counts_iterations(runner):
    runner.val_loop = object()
    runner.train_loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
    lines = told(describe_training(runner))
    assert lines['validation'] == '7 images, 2 classes: val.json'
    assert lines['schedule'] == '1,500 steps with 4 images each; SGD, learning rate 0.01'


def test_a_test(runner):
    runner.cfg.load_from = 'a.pth'
    assert told(describe_test(runner)) == {
        'config': 'configs/a.py',
        'model': 'Sequential: Linear 18, Linear; 1,281 parameters, 41 of them frozen',
        'test': '9 images, 2 classes: test.json',
        'device': 'CPU, 1 thread',
        'checkpoint': 'a.pth',
        'goes to': 'work_dirs/a',
        'log': 'work_dirs/a/1.log',
    }


@pytest.mark.parametrize(('resume', 'start'), [(True, 'a.pth, resumed'), (False, 'a.pth')])
def test_where_a_training_starts_from(runner, resume, start):
    runner.cfg.update(load_from='a.pth', resume=resume)
    assert told(describe_training(runner))['starts from'] == start


def test_all_files_of_joined_data_sets_are_named(runner):
    joined = ConcatDataset([Images('a.json', 1), ConcatDataset([Images('b.json', 2)])])
    joined.metainfo = Images.metainfo
    runner.test_dataloader = DataLoader(joined)
    assert told(describe_test(runner))['test'] == '3 images, 2 classes: a.json, b.json'


@pytest.mark.parametrize(('dtype', 'name'), [(None, 'bfloat16'), ('float16', 'float16')])
def test_mixed_precision(runner, dtype, name):
    runner.optim_wrapper = AmpOptimWrapper.__new__(AmpOptimWrapper)
    runner.optim_wrapper.cast_dtype = dtype and getattr(torch, dtype)
    assert told(describe_test(runner))['device'] == f'CPU, 1 thread, mixed precision ({name})'
