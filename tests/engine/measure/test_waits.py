"""Reads from the device: which are counted, and where they are said to be."""

import inspect

import pytest
import torch
from torch import Tensor

from mmdet.engine.measure.waits import Waits, counting_waits

VALUES = torch.arange(6.0)
MASK = VALUES > 2


def count(run) -> Waits:
    with counting_waits(torch.device('cpu')) as waits:
        run()
    return waits


READS = {
    'item': lambda: VALUES.sum().item(),
    'bool': lambda: bool(VALUES.any()),
    'float': lambda: float(VALUES[2]),
    'nonzero': lambda: VALUES.nonzero(),
    'mask': lambda: VALUES[MASK],
    'where': lambda: torch.where(MASK),
    'masked_select': lambda: VALUES.masked_select(MASK),
    'unique': lambda: VALUES.unique(),
    'unique_consecutive': lambda: VALUES.unique_consecutive(),
    'bincount': lambda: VALUES.long().bincount(),
    'equal': lambda: torch.equal(VALUES, VALUES + 0),
    'repeat': lambda: VALUES.repeat_interleave(MASK.long()),
    'put many': lambda: VALUES.clone().index_put_((MASK,), torch.ones(3)),
}
NO_READS = {
    'sum': lambda: VALUES.sum(),
    'index': lambda: VALUES[MASK.long()],
    'put one': lambda: VALUES.clone().index_put_((MASK,), torch.tensor(1.0)),
    'repeat to a size': lambda: VALUES.repeat_interleave(MASK.long(), output_size=3),
    'bincount by scatter': lambda: torch.zeros(6).scatter_add(0, VALUES.long(), VALUES),
}


@pytest.mark.parametrize('name', READS)
def test_a_read_is_counted_once(name):
    waits = count(READS[name])
    assert sum(waits.values()) == 1


@pytest.mark.parametrize('name', NO_READS)
def test_what_can_be_queued_is_not(name):
    assert not count(NO_READS[name])


def read_twice(tensor: Tensor) -> float:
    return tensor[0].item() + tensor[1].item()


def test_where_they_are():
    waits = count(lambda: (read_twice(VALUES), VALUES.unique()))
    line = inspect.getsourcelines(read_twice)[1] + 1
    assert waits[f'tests/engine/measure/test_waits.py:{line} aten._local_scalar_dense'] == 2
    # PyTorch's own Python is between this file and the operator.
    (other,) = waits.keys() - {
        f'tests/engine/measure/test_waits.py:{line} aten._local_scalar_dense'
    }
    assert other.startswith('tests/engine/measure/test_waits.py:') and 'unique' in other


class ReadingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor: Tensor) -> Tensor:
        return tensor * 2

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return grad * grad.sum().item()


def test_in_the_backward_pass_too():
    leaf = torch.ones(3, requires_grad=True)
    assert sum(count(ReadingBackward.apply(leaf).sum().backward).values()) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_says_itself_what_waits():
    tensor = torch.ones(3, device='cuda')
    mode = torch.cuda.get_sync_debug_mode()
    with counting_waits(tensor.device) as waits:
        read_twice(tensor)
        tensor.cpu()
        tensor + 1
    assert sum(waits.values()) == 3
    assert torch.cuda.get_sync_debug_mode() == mode
