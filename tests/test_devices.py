"""The device that stands for a GPU where there is none must refuse what a GPU refuses."""

import numpy as np
import pytest
import torch

from tests.devices import RemoteTensor, remote_device

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason='a GPU is used itself, and a process has one accelerator'
)


@pytest.fixture(autouse=True)
def device():
    with remote_device() as device:
        yield device


def test_what_is_made_there_is_there(device):
    for tensor in (
        torch.arange(1, 4, device=device),
        torch.tensor([1, 2, 3], device='remote'),
        torch.linspace(1, 3, 3, device=device).long(),
        torch.full((3,), 2, device=device) + torch.tensor(0),
        torch.tensor([1, 2, 3]).to(device),
        torch.ones(3, device=device).new_tensor([1, 2, 3]),
    ):
        assert isinstance(tensor, RemoteTensor)
        assert tensor.device == device
        assert tensor.sum().item() == 6


def test_it_computes_as_the_cpu_does(device):
    conv = torch.nn.Conv2d(3, 4, 3)
    image = torch.rand(2, 3, 8, 8)
    conv(image).square().sum().backward()
    expected = conv.weight.grad
    there = torch.nn.Conv2d(3, 4, 3).to(device)
    there.load_state_dict(conv.state_dict())
    there(image.to(device)).square().sum().backward()
    assert isinstance(there.weight, torch.nn.Parameter)
    assert there.weight.grad.device == device
    torch.testing.assert_close(there.weight.grad.cpu(), expected)


def test_changes_in_place_reach_views(device):
    tensor = torch.zeros(2, 3, device=device)
    tensor[1].add_(1)
    tensor[:, 2] = 5
    assert tensor.tolist() == [[0, 0, 5], [1, 1, 5]]


def test_explicit_copies_cross(device):
    tensor = torch.tensor([[1.0, 2.0]], device=device)
    assert tensor.tolist() == [[1, 2]]
    assert tensor[0, 1].item() == 2
    assert type(tensor.cpu()) is torch.Tensor
    assert tensor.to('cpu').numpy().tolist() == [[1, 2]]
    assert torch.zeros(1, 2).copy_(tensor).tolist() == [[1, 2]]


@pytest.mark.parametrize('reach', [lambda t: t.numpy(), np.asarray, lambda t: np.stack([t, t])])
def test_it_is_no_array(device, reach):
    tensor = torch.ones(2, device=device)
    with pytest.raises(TypeError, match='remote:0 tensor to numpy'):
        reach(tensor)


@pytest.mark.parametrize(
    'mix',
    [
        lambda here, there: here + there,
        lambda here, there: there + here,
        lambda here, there: torch.cat((there, here)),
        lambda here, there: torch.where(there > 0, here, there),
        lambda here, there: here[there.long()],
        lambda here, there: torch.nn.functional.linear(there, here[None]),
        lambda here, there: here.add_(there),
    ],
)
def test_it_does_not_mix_with_the_cpu(device, mix):
    with pytest.raises(RuntimeError, match='same device'):
        mix(torch.ones(2), torch.ones(2, device=device))
