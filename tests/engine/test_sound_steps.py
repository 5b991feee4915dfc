"""Steps with NaN: nothing that a step changes is changed, and what was gathered before is kept."""

import copy
import math

import pytest
import torch
from mmengine.logging import MessageHub
from torch import Tensor, nn

from mmdet.engine import AmpOptimWrapper, OptimWrapper
from mmdet.engine.running_statistics import RunningStatistics, names_of_statistics

needs_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason='its scaler is off on the CPU')
BAD = (math.nan, math.inf, -math.inf)


class Model(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def batch(number: int) -> Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(number))


def take(model: nn.Module, wrapper: OptimWrapper, images: Tensor, factor: float = 1.0) -> None:
    """Take a step, as mmengine's `train_step` does, of a loss times a factor."""
    with wrapper.optim_context(model):
        loss = model(images).float().square().mean() * factor
    wrapper.update_params(loss)


def wrapper_of(model: nn.Module, kind: type = OptimWrapper, **settings: object) -> OptimWrapper:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    return kind(optimizer=optimizer, **settings)


def state(model: nn.Module, wrapper: OptimWrapper) -> list[Tensor]:
    moments = [each for part in wrapper.optimizer.state.values() for each in part.values()]
    return [each.clone() for each in (*model.state_dict().values(), *moments)]


def assert_same(one: list[Tensor], other: list[Tensor]) -> None:
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize('kind', [OptimWrapper, pytest.param(AmpOptimWrapper, marks=needs_cpu)])
@pytest.mark.parametrize('bad', BAD)
def test_a_loss(kind, bad):
    model = Model()
    wrapper = wrapper_of(model, kind)
    take(model, wrapper, batch(0))
    before = state(model, wrapper)
    take(model, wrapper, batch(1), bad)
    assert wrapper.was_left_out
    assert_same(state(model, wrapper), before)
    take(model, wrapper, batch(2))
    assert not wrapper.was_left_out
    after = state(model, wrapper)
    assert not any(torch.equal(*pair) for pair in zip(after, before, strict=True))


def test_an_image_spoils_no_running_statistics():
    model = Model()
    wrapper = wrapper_of(model)
    before = state(model, wrapper)
    take(model, wrapper, torch.full((6, 4), math.nan))
    assert wrapper.was_left_out
    assert_same(state(model, wrapper), before)


@pytest.mark.parametrize(
    'clip', [None, dict(max_norm=1.0, error_if_nonfinite=True), dict(type='value', clip_value=1.0)]
)
def test_gradients_of_a_finite_loss(clip):
    model = nn.Linear(2, 1)
    wrapper = wrapper_of(model, clip_grad=clip and dict(clip))
    before = state(model, wrapper)
    noted = len(MessageHub.get_current_instance().log_scalars)
    with wrapper.optim_context(model):
        loss = (model.weight * 0).abs().sqrt().sum() + model.bias.sum()
    assert loss.isfinite()
    wrapper.update_params(loss)
    assert model.weight.grad is None
    assert wrapper.was_left_out
    assert_same(state(model, wrapper), before)
    assert len(MessageHub.get_current_instance().log_scalars) == noted


@pytest.mark.parametrize('left_out', [(0,), (1,), (2,), (0, 2)])
def test_what_was_accumulated_is_kept(left_out):
    """The update is that of the sound steps alone, each a third of it."""
    model = nn.Linear(4, 1)
    expected = copy.deepcopy(model)
    wrapper = wrapper_of(model, accumulative_counts=3)
    for index in range(3):
        take(model, wrapper, batch(index), math.nan if index in left_out else 1.0)
        assert wrapper.was_left_out is (index in left_out)
    sound = [index for index in range(3) if index not in left_out]
    torch.stack([expected(batch(index)).square().mean() / 3 for index in sound]).sum().backward()
    torch.optim.AdamW(expected.parameters(), lr=0.1).step()
    torch.testing.assert_close(model.state_dict(), expected.state_dict())


def test_an_accumulation_of_nothing_is_no_step():
    """Of zeros the optimizer would make one: weights decay, momentum goes on."""
    model = Model()
    wrapper = wrapper_of(model, accumulative_counts=2)
    for index in range(2):
        take(model, wrapper, batch(index))
    before = state(model, wrapper)
    for index in range(2):
        take(model, wrapper, batch(index), math.nan)
    assert_same(state(model, wrapper), before)
    for index in range(2):
        take(model, wrapper, batch(index))
    assert not torch.equal(model[0].weight, before[0])


@needs_cpu
def test_an_overflow_of_the_scaler_is_its_own():
    model = Model()
    wrapper = wrapper_of(model, AmpOptimWrapper)
    wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=2.0**127)
    before = state(model, wrapper)[:2]
    take(model, wrapper, batch(0), 1e6)
    assert wrapper.loss_scaler.get_scale() == 2.0**126
    assert_same([model[0].weight, model[0].bias], before)
    assert not wrapper.was_left_out

    wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=8.0)
    take(model, wrapper, batch(0))
    before = state(model, wrapper)
    take(model, wrapper, batch(0), math.nan)
    assert wrapper.was_left_out
    assert_same(state(model, wrapper), before)
    assert wrapper.loss_scaler.get_scale() == 8.0
    take(model, wrapper, batch(0))
    assert not torch.equal(model[0].weight, before[0])


def test_steps_without_update_params():
    """A model may do the parts of a step itself."""
    model = nn.Linear(4, 1)
    wrapper = wrapper_of(model)
    before = model.weight.clone()
    wrapper.backward(model(batch(0)).mean())
    wrapper.step()
    assert not torch.equal(model.weight, before)


def test_running_statistics_that_are_not_trained_are_not_copied():
    model = Model()
    assert names_of_statistics(model) == {
        '1.running_mean', '1.running_var', '1.num_batches_tracked',
    }  # fmt: skip
    assert len(RunningStatistics(model)._copies) == 3
    model[1].eval()  # as norm_eval=True does
    assert not RunningStatistics(model)._copies
