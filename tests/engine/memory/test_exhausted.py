import errno
import resource
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from mmdet.engine.memory.exhausted import is_out_of_memory
from mmdet.errors import UserError

ONEDNN = RuntimeError('could not create a primitive')


@pytest.fixture
def limited() -> Iterator[None]:
    """A limit on the address space, far away."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**45, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize('ask', [torch.empty, np.empty, bytearray])
def test_what_libraries_raise(limited, ask):
    with pytest.raises(Exception) as raised:
        ask(2**46)
    assert is_out_of_memory(raised.value)


@pytest.mark.parametrize(
    'error',
    [
        torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB'),
        RuntimeError('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)'),
        RuntimeError('Caught MemoryError in DataLoader worker process 0.\nTraceback ...'),
        OSError(errno.ENOMEM, 'Cannot allocate memory'),
    ],
)
def test_what_others_say(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError('The size of tensor a (3) must match the size of tensor b (4)'),
        OSError(errno.ENOSPC, 'No space left on device'),
        UserError('the machine may have run out of memory'),
        ONEDNN,
    ],
)
def test_what_is_no_lack_of_memory(error):
    assert not is_out_of_memory(error)


def test_onednn_does_not_say_what_it_lacks(limited):
    assert is_out_of_memory(ONEDNN)
