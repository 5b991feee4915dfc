import pytest
import torch
from torch import nn

from mmdet.engine.checkpoint.finite import not_finite, parameters_not_finite


@pytest.fixture
def model() -> nn.Module:
    """One with a buffer that is infinite on purpose."""
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model.register_buffer('mask', torch.tensor([0, -torch.inf]))
    return model


def checkpoint(model: nn.Module) -> dict:
    """Return what a runner saves of a model after a step, with averaged weights."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model[1](model[0](torch.ones(3, 2))).sum().backward()
    optimizer.step()
    averaged = {f'module.{name}': value.clone() for name, value in model.state_dict().items()}
    partial = [[value.clone() for value in model.parameters()]]
    return dict(
        state_dict=model.state_dict(),
        ema_state_dict=averaged | dict(steps=torch.tensor(1)),
        optimizer=optimizer.state_dict() | dict(partial_gradients=partial),
    )


def test_a_sound_one(model):
    assert not_finite(checkpoint(model), model) == []
    assert parameters_not_finite(model) == []
    model[0].weight.data.fill_(3e38)  # of which the sum is infinite
    assert not_finite(dict(state_dict=model.state_dict()), model) == []


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
@pytest.mark.parametrize(
    ('of', 'found'),
    [
        (lambda saved: saved['state_dict']['0.weight'], 'state_dict: 0.weight'),
        (lambda saved: saved['state_dict']['1.running_var'], 'state_dict: 1.running_var'),
        (lambda saved: saved['ema_state_dict']['module.1.bias'], 'ema_state_dict: module.1.bias'),
        (lambda saved: saved['optimizer']['state'][0]['momentum_buffer'], 'optimizer'),
        (lambda saved: saved['optimizer']['partial_gradients'][0][1], 'optimizer'),
    ],
)
def test_one_number_of_it_is_not(model, of, found, value):
    saved = checkpoint(model)
    of(saved).data.flatten()[-1] = value
    assert not_finite(saved, model) == [found]


def test_a_parameter(model):
    model[0].bias.data[1] = torch.nan
    assert parameters_not_finite(model) == ['0.bias']
