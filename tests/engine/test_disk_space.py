from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from mmdet.engine.disk_space import (
    checkpoint_bytes,
    checkpoints_of,
    planned_checkpoints,
    values_per_parameter,
)


@pytest.mark.parametrize(
    ('name', 'settings', 'expected'),
    [
        ('SGD', dict(), 0),
        ('SGD', dict(momentum=0.9), 1),
        ('AdamW', dict(fused=True), 2),
        ('AdamW', dict(amsgrad=True), 3),
        ('Adafactor', dict(), 0.25),
    ],
)
def test_what_an_optimizer_keeps(name, settings, expected):
    optimizer = getattr(torch.optim, name)(nn.Linear(2, 2).parameters(), lr=0.1, **settings)
    assert values_per_parameter(optimizer) == expected


def test_an_optimizer_that_cannot_be_tried_is_taken_for_adam():
    class Own(torch.optim.SGD):
        def __init__(self, params, names: dict) -> None:
            super().__init__(params, lr=0.1)

    assert values_per_parameter(Own(nn.Linear(2, 2).parameters(), names={})) == 2


def test_the_size_is_that_of_the_file(tmp_path):
    model = nn.Sequential(nn.Linear(100, 1000), nn.BatchNorm1d(1000))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 100)).sum().backward()
    optimizer.step()
    torch.save(
        dict(state_dict=model.state_dict(), optimizer=optimizer.state_dict()), tmp_path / 'a'
    )
    real = (tmp_path / 'a').stat().st_size
    assert checkpoint_bytes(model, optimizer, averaged=False) == pytest.approx(real, rel=0.02)
    weights = checkpoint_bytes(model, None, averaged=False)
    assert checkpoint_bytes(model, None, averaged=True) == 2 * weights


def test_what_is_frozen_has_no_state():
    model = nn.Linear(100, 100, bias=False)
    optimizer = torch.optim.AdamW(model.parameters())
    model.requires_grad_(False)
    assert checkpoint_bytes(model, optimizer, averaged=False) == 40_000


@pytest.mark.parametrize(
    ('settings', 'done', 'expected'),
    [
        (dict(interval=1), 0, 12),
        (dict(interval=1), 10, 2),
        (dict(interval=1, max_keep_ckpts=3), 0, 4),
        (dict(interval=5), 0, 3),  # 5, 10 and the last
        (dict(interval=5, save_last=False), 0, 2),
        (dict(interval=-1), 0, 1),
        (dict(interval=1, max_keep_ckpts=1, save_best='coco/segm_mAP', rule='greater'), 0, 3),
    ],
)
def test_planned_checkpoints(settings, done, expected):
    assert planned_checkpoints(CheckpointHook(**settings), done=done, end=12) == expected


def test_an_averaged_model_is_saved_beside_the_other():
    model = nn.Linear(100, 100, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    hooks = [CheckpointHook(interval=1)]
    runner = SimpleNamespace(
        model=model,
        hooks=hooks,
        optim_wrapper=SimpleNamespace(optimizer=optimizer),
        **dict(epoch=0, max_epochs=3, iter=0, max_iters=30),
    )
    assert checkpoints_of(runner) == [(hooks[0], 3, 40_000)]
    hooks.append(EMAHook())
    assert checkpoints_of(runner) == [(hooks[0], 3, 80_000)]


def test_several_optimizers_are_no_reason_to_fail():
    model = nn.Linear(100, 100, bias=False)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    hook = CheckpointHook(interval=1)
    runner = SimpleNamespace(
        model=model,
        hooks=[hook],
        optim_wrapper=OptimWrapperDict(whole=wrapper),
        **dict(epoch=0, max_epochs=3, iter=0, max_iters=30),
    )
    assert checkpoints_of(runner) == [(hook, 3, 40_000)]
