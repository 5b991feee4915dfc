"""What the tests of the compiled ops share: devices, skipped where they or kernels are absent."""

import pytest
import torch

from mmdet.ops._extension import OPS, has_kernel


@pytest.fixture(params=['cpu', 'cuda'])
def device(request) -> torch.device:
    if request.param == 'cuda' and not torch.cuda.is_available():
        pytest.skip('there is no GPU')
    return torch.device(request.param)


@pytest.fixture
def kernels(device) -> torch.device:
    """The device, where it has compiled kernels."""
    here = torch.empty(0, device=device)
    if not all(has_kernel(op, here) for op in OPS):
        pytest.skip(f'the compiled kernels for {device} are absent or hidden')
    return device
