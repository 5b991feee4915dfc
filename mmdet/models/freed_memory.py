"""Freed memory that glibc holds back, between features that are in use, goes to the system.

glibc's malloc returns blocks of more than 32 MiB when they are freed. Smaller ones it keeps, for
requests to come, also where none of them fits: of a training step on a CPU that is what lies
between the features that the backward pass needs, up to a GB.
"""

import ctypes
import sys
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

# Of smaller features not enough is freed to be worth the pages that must be cleared again.
_LARGE = 32 << 20  # bytes


def give_back_freed_memory(finest: Tensor) -> None:
    """Give back what is free, where a training step computes large features on a CPU.

    Args:
        finest: the largest of the features.
    """
    if torch.compiler.is_compiling() or finest.device.type != 'cpu':
        return
    if finest.numel() * finest.element_size() >= _LARGE:
        _trim()(0)


@cache
def _trim() -> Callable[[int], object]:
    """Return glibc's `malloc_trim`; without glibc, what does nothing."""
    if sys.platform != 'linux':
        return bool
    return getattr(ctypes.CDLL(None), 'malloc_trim', bool)
