import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdet.models import freed_memory
from mmdet.models.freed_memory import give_back_freed_memory

MB = 1 << 20


def resident() -> int:
    """Return the bytes of memory that this process has."""
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()


def sized(size: int) -> torch.Tensor:
    return torch.empty(1, dtype=torch.uint8).expand(size)


@pytest.mark.skipif(
    not hasattr(freed_memory.ctypes.CDLL(None), 'malloc_trim'), reason='glibc alone holds back'
)
def test_what_is_free_between_what_is_in_use_is_given_back():
    np.empty(31 * MB, np.uint8)  # from now on glibc holds blocks of up to this size
    blocks = [np.ones(MB, np.uint8) for _ in range(128)]
    full = resident()
    del blocks[::2]
    give_back_freed_memory(sized(32 * MB - 1))
    assert resident() > full - 16 * MB
    give_back_freed_memory(sized(32 * MB))
    assert resident() < full - 48 * MB
    assert len(blocks) == 64


def test_other_allocators_have_nothing_to_give_back(monkeypatch):
    monkeypatch.setattr(freed_memory.sys, 'platform', 'other')
    monkeypatch.setattr(freed_memory, '_trim', freed_memory._trim.__wrapped__)
    monkeypatch.setattr(freed_memory.ctypes, 'CDLL', None)
    give_back_freed_memory(sized(32 * MB))
