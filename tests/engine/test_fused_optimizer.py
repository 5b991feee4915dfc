"""What a fused optimizer learns is what a plain one learns; and who gets one."""

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.amp import GradScaler

from mmdet.engine import optim_wrapper as wrappers
from mmdet.engine.fused_optimizer import with_fused_step
from mmdet.engine.optim_wrapper import AmpOptimWrapper, OptimWrapper
from mmdet.engine.runner import Runner

CPU = torch.device('cpu')
OPTIMIZERS = [
    dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4),
    dict(type='Adam', lr=0.01),
    dict(type='AdamW', lr=0.01, weight_decay=0.05),
]


def names(value: dict) -> str:
    return value['type']


def learnt(wrapper_of, optimizer: dict, *, fused: bool, steps: int = 10) -> list[Tensor]:
    """Return the parameters of a small network after some steps."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 3, bias=False)
    model = nn.Sequential(conv, nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1))
    model.to(memory_format=torch.channels_last)
    arguments = {key: value for key, value in optimizer.items() if key != 'type'}
    kind = getattr(torch.optim, optimizer['type'])
    wrapper = wrapper_of(kind(model.parameters(), fused=fused, **arguments))
    for _ in range(steps):
        with wrapper.optim_context(model):
            loss = model(torch.randn(2, 3, 16, 16)).float().square().sum()
        wrapper.update_params(loss)
    return [each.detach() for each in model.parameters()]


def plain(optimizer: torch.optim.Optimizer) -> OptimWrapper:
    return OptimWrapper(optimizer, clip_grad=dict(max_norm=0.5))


def mixed(optimizer: torch.optim.Optimizer) -> AmpOptimWrapper:
    return AmpOptimWrapper(optimizer=optimizer, clip_grad=dict(max_norm=0.5))


class ScalingOnCPU(AmpOptimWrapper):
    """What a GPU does with float16: first losses are scaled too high, and their steps skipped."""

    def __init__(self, optimizer: torch.optim.Optimizer, clip_grad: dict | None = None) -> None:
        super().__init__(optimizer=optimizer, clip_grad=clip_grad)
        self.loss_scaler = GradScaler('cpu', init_scale=2.0**127, backoff_factor=2.0**-70)
        wrappers._leave_overflows_to_scaler(optimizer)


def scaled(optimizer: torch.optim.Optimizer) -> AmpOptimWrapper:
    return ScalingOnCPU(optimizer)


def scaled_and_clipped(optimizer: torch.optim.Optimizer) -> AmpOptimWrapper:
    return ScalingOnCPU(optimizer, clip_grad=dict(max_norm=0.5))


@pytest.mark.parametrize('wrapper_of', [plain, mixed, scaled, scaled_and_clipped])
@pytest.mark.parametrize('optimizer', OPTIMIZERS, ids=names)
def test_it_learns_what_a_plain_one_learns(optimizer, wrapper_of):
    found, expected = (learnt(wrapper_of, optimizer, fused=fused) for fused in (True, False))
    torch.testing.assert_close(found, expected)
    before = learnt(wrapper_of, optimizer, fused=False, steps=0)
    assert not torch.equal(before[0], expected[0])


@pytest.mark.parametrize('optimizer', OPTIMIZERS, ids=names)
def test_a_step_that_overflows_leaves_nothing(optimizer, monkeypatch):
    """Memory that was made and not written would be taken for momentum in the next step."""
    monkeypatch.setattr(torch, 'empty_like', lambda like, **_: torch.full_like(like, torch.nan))
    start = learnt(scaled, optimizer, fused=True, steps=0)
    assert torch.equal(learnt(scaled, optimizer, fused=True, steps=1)[0], start[0])
    assert all(each.isfinite().all() for each in learnt(scaled, optimizer, fused=True, steps=3))


@pytest.mark.parametrize('optimizer', OPTIMIZERS, ids=names)
def test_who_gets_one(optimizer):
    cfg = Config(dict(optimizer=optimizer, clip_grad=None))
    chosen = with_fused_step(cfg._cfg_dict, CPU)
    assert chosen == dict(optimizer=dict(optimizer, fused=True), clip_grad=None)
    assert 'fused' not in cfg.optimizer
    kind = getattr(torch.optim, optimizer['type'])
    assert with_fused_step(dict(optimizer=dict(type=kind)), CPU)['optimizer']['fused']


@pytest.mark.parametrize(
    ('cfg', 'device'),
    [
        (dict(optimizer=dict(type='SGD', fused=False)), 'cpu'),
        (dict(optimizer=dict(type='SGD', foreach=True)), 'cpu'),
        (dict(optimizer=dict(type='RMSprop')), 'cpu'),
        (dict(optimizer=dict(type='SGD')), 'xla'),
        (dict(optimizer=dict(type='SGD'), constructor='Own'), 'cpu'),
        (dict(optimizer=torch.optim.SGD([torch.zeros(1)], lr=0.1)), 'cpu'),
        (dict(a=dict(optimizer=dict(type='SGD'))), 'cpu'),
    ],
)
def test_who_does_not(cfg, device):
    assert with_fused_step(cfg, torch.device(device)) is cfg


def test_a_runner_gives_one():
    runner = Runner.__new__(Runner)
    runner.model = nn.Linear(2, 2)
    built = runner.build_optim_wrapper(dict(optimizer=dict(type='SGD', lr=0.1)))
    assert built.optimizer.param_groups[0]['fused']
