"""Weights that follow from a tensor's name and shape alone, the same with every library's version.

Both sides need them: mmdetection, which the reference numbers come from, and this project.
"""

from zlib import crc32

import numpy as np
import torch
from torch import Tensor


def noise(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return (*shape) numbers in [-1, 1) from a hash of the tensor's name and their index.

    The hash is Chris Wellons' lowbias32: whole numbers, where NumPy's generators may change.
    """
    bits = np.arange(np.prod(shape, dtype=np.int64), dtype=np.uint64) + crc32(name.encode())
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        bits &= 0xFFFFFFFF
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    return ((bits & 0xFFFFFFFF) / 2.0**31 - 1).reshape(shape)


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return what the tensor of a state dict under this name begins with."""
    kind = name.rsplit('.', 1)[-1]
    if kind == 'num_batches_tracked':
        return np.zeros(shape)
    random = noise(name, shape)
    if kind == 'running_var':
        return 1 + 0.2 * np.abs(random)
    if kind == 'running_mean':
        return 0.2 * random
    if kind == 'bias':
        return 0.2 * random - (1.5 if 'conv_cls' in name else 0)
    if len(shape) == 1:  # a norm's weight
        return 1 + 0.2 * random
    gain = 0.6 if name.startswith('backbone') else 1  # residual branches add up
    return gain * np.sqrt(6 / np.prod(shape[1:])) * random


@torch.no_grad()
def fill(state: dict[str, Tensor]) -> None:
    """Overwrite every tensor of a state dict."""
    for name, tensor in state.items():
        tensor.copy_(torch.as_tensor(value(name, tuple(tensor.shape))))
