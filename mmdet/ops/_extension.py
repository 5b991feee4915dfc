"""The compiled kernels, which `setup.py` builds from csrc/: loaded where they were built.

`MMDET_NO_EXTENSION=1` hides them, and every op runs as its reference. Which kernels there are is
said here; whether one is right on this machine, `_first_use.py` finds out before it is used, unless
`MMDET_TRUST_KERNELS=1` says that it is.
"""

import logging
import os
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor

OPS = ('dice_loss', 'group_norm_relu', 'masks_to_rle', 'matrix_nms', 'sigmoid_focal_loss')
# Elsewhere, and on CPUs without the instructions that they want, PyTorch's own are the quicker.
CPU_OPS = ('conv3x3',)
AUTOCAST_KEYS = ('AutocastCPU', 'AutocastCUDA')
LIBRARY = Path(__file__).parents[1] / '_C.abi3.so'


def _load() -> str:
    """Load the library; return why there is none, or nothing."""
    if os.environ.get('MMDET_NO_EXTENSION', '0') not in ('', '0'):
        return 'hidden by MMDET_NO_EXTENSION'
    if not LIBRARY.exists():
        return 'not built: install the package again where torch and a C++ compiler are'
    try:
        torch.ops.load_library(LIBRARY)
    except OSError as error:
        return f'{LIBRARY} cannot be loaded: {error}'
    return ''


def _has_kernel(op: str, device: str) -> bool:
    has_key = torch._C._dispatch_has_kernel_for_dispatch_key
    return hasattr(torch.ops.mmdet_solo, op) and has_key(f'mmdet_solo::{op}', device.upper())


_WHY_ABSENT = _load()
IS_LOADED = not _WHY_ABSENT
_KERNELS = frozenset(
    (op, device) for op in (*OPS, *CPU_OPS) for device in ('cpu', 'cuda') if _has_kernel(op, device)
)

if IS_LOADED:
    # Autocast leaves the ops' arguments as they are: the kernels read half precision and count in
    # float32, where a cast before them would only make a copy.
    _autocast = torch.library.Library('mmdet_solo', 'IMPL')
    for _op in (*OPS, *CPU_OPS):
        for _key in AUTOCAST_KEYS:
            _autocast.impl(_op, torch.library.fallthrough_kernel, _key)


def has_kernel(op: str, tensor: Tensor) -> bool:
    """Say whether an op has a compiled kernel for the device of a tensor."""
    return (op, tensor.device.type) in _KERNELS


def warn_of_slow_ops(device: str) -> None:
    """Log a warning that names the ops without a kernel for a device, `cpu` or `cuda`, if any."""
    slow = [op for op in OPS if (op, device) not in _KERNELS]
    if slow:
        why = _WHY_ABSENT or (
            'built without CUDA: install the package again where a torch with CUDA and nvcc are; '
            'FORCE_CUDA=1 then fails with the reason instead of doing without'
        )
        print_log(
            f'No compiled kernels for {device} ({why}): {", ".join(slow)} run slower.',
            logger='current',
            level=logging.WARNING,
        )
