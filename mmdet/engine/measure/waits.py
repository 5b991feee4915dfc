"""How often a step waits for the device: reads from it, which the host cannot queue."""

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

import mmdet

aten = torch.ops.aten

# What reads a tensor's numbers, or makes a tensor whose size depends on them.
_READS = frozenset(
    {
        aten._local_scalar_dense,
        aten.is_nonzero,
        aten.equal,
        aten.nonzero,
        aten.masked_select,
        aten.bincount,
        aten._unique,
        aten._unique2,
        aten.unique_dim,
        aten.unique_consecutive,
        aten.unique_dim_consecutive,
    }
)
_SOURCE = Path(mmdet.__file__).parents[1]
_TORCH = str(Path(torch.__file__).parent)


class Waits(Counter[str]):
    """How often the device was waited for, by the place in the code and the operation."""

    def lines(self) -> list[str]:
        """Return a line for each place, the most frequent first."""
        return [f'{number} x {where}' for where, number in self.most_common()]


@contextmanager
def counting_waits(device: torch.device) -> Iterator[Waits]:
    """Count how often a block waits for a device.

    On a GPU PyTorch says so itself. On the CPU, where nothing is waited for, those operations are
    counted for which a GPU would be; among them may be such as have a tensor on the CPU also where
    there is a GPU. Copies (`cpu()`, `tolist()`) cannot be seen there.
    """
    waits = Waits()
    if device.type != 'cuda':
        with _Reads(waits):
            yield waits
        return
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    for each in said:
        if 'synchronizing CUDA operation' in str(each.message):
            waits[_place(each.filename, each.lineno)] += 1


class _Reads(TorchDispatchMode):
    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self._waits = waits

    def __torch_dispatch__(
        self, func: OpOverload, types: tuple, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        kwargs = kwargs or {}
        if reads(func, args, kwargs):
            frame = _outside_of_torch(sys._getframe(1))
            place = _place(frame.f_code.co_filename, frame.f_lineno)
            self._waits[f'{place} {func.overloadpacket}'] += 1
        return func(*args, **kwargs)


def reads(func: OpOverload, args: tuple, kwargs: dict) -> bool:
    """Return whether an operation reads numbers of its tensors, or makes a size of them."""
    op = func.overloadpacket
    if op is aten.repeat_interleave:
        return kwargs.get('output_size') is None
    if op in (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_):
        chosen = [each for each in args[1] if each is not None]
        by_mask = any(each.dtype in (torch.bool, torch.uint8) for each in chosen)
        # One number for all that a mask chooses is written without knowing how many they are.
        return by_mask and (op is aten.index or args[2].numel() > 1)
    return op in _READS


def _outside_of_torch(frame: FrameType) -> FrameType:
    """Return the innermost frame that is not PyTorch's own, or else the given one."""
    found: FrameType | None = frame
    while found is not None and found.f_code.co_filename.startswith(_TORCH):
        found = found.f_back
    return found or frame


def _place(filename: str, line: int) -> str:
    path = Path(filename)
    for root in (_SOURCE, Path(_TORCH).parent):
        if path.is_relative_to(root):
            path = path.relative_to(root)
    return f'{path}:{line}'
