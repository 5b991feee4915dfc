"""What the tests of the compiled ops share: devices, skipped where they or kernels are absent."""

from collections.abc import Iterator

import pytest
import torch

from mmdet.ops._extension import OPS, has_kernel
from mmdet.ops._first_use import may_use_kernel


@pytest.fixture(params=['cpu', 'cuda'])
def device(request) -> torch.device:
    if request.param == 'cuda' and not torch.cuda.is_available():
        pytest.skip('there is no GPU')
    return torch.device(request.param)


@pytest.fixture
def kernels(device) -> Iterator[torch.device]:
    """The device, where it has compiled kernels, which get two threads to share their work."""
    here = torch.empty(0, device=device)
    if not all(has_kernel(op, here) for op in OPS):
        pytest.skip(f'the compiled kernels for {device} are absent or hidden')
    # Otherwise the references would be compared with themselves.
    assert all(may_use_kernel(op, here) for op in OPS)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield device
    torch.set_num_threads(threads)
