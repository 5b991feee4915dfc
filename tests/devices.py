"""A device that is not the CPU, for machines that have no other.

`remote` computes on the CPU, but keeps the rules of a GPU: a tensor there is no array, and does not
take part in an operation with one on the CPU. Only explicit copies (`to`, `cpu`, `item`, `tolist`)
cross the border. It shows what forgets to move, not what a GPU computes.

It is what PyTorch calls a PrivateUse1 backend, written in Python: tensors that exist are
`RemoteTensor`s, which see every operation that they take part in; operations that make tensors
from nothing have kernels here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from mmdet.engine.measure.waits import reads

aten = torch.ops.aten

NAME = 'remote'
_COPIES = (aten.copy_.default, aten._to_copy.default)
# What PyTorch makes tensors with where no tensor of the device is at hand, by the kernel's name
_FACTORIES = {
    'empty.memory_format': aten.empty.memory_format,
    'empty_strided': aten.empty_strided.default,
    'arange': aten.arange.default,
    'arange.start': aten.arange.start,
    'arange.start_step': aten.arange.start_step,
    'copy_': aten.copy_.default,  # how `torch.tensor` fills what it has made
}


class RemoteTensor(Tensor):
    """A tensor on `remote`; its numbers are in `local`, out of reach of any operator but ours."""

    local: Tensor

    @staticmethod
    def __new__(cls, local: Tensor) -> 'RemoteTensor':
        tensor = Tensor._make_wrapper_subclass(
            cls,
            local.shape,
            strides=local.stride(),
            storage_offset=local.storage_offset(),
            dtype=local.dtype,
            device=torch.device(NAME, 0),
        )
        tensor.local = local
        return tensor

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(
        cls, op: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        return _compute(op, *args, **(kwargs or {}))

    def tolist(self) -> list | float:
        # PyTorch's own refuses subclasses; a copy that is asked for is allowed.
        _note_wait('tolist')
        return self.local.tolist()

    def numpy(self, *, force: bool = False) -> object:
        raise TypeError(f"can't convert a {self.device} tensor to numpy; use Tensor.cpu() first")

    def __array__(self, dtype: object = None) -> object:
        return self.numpy()

    def __repr__(self) -> str:
        return f'{self.local!r} on {self.device}'


def _compute(op: Callable, *args: object, **kwargs: object) -> object:
    """Run an operator on the CPU; the result is on `remote`, unless another place is asked for."""
    flat, structure = pytree.tree_flatten((args, kwargs))
    remote = [item for item in flat if isinstance(item, RemoteTensor)]
    elsewhere = [
        item for item in flat if isinstance(item, Tensor) and not isinstance(item, RemoteTensor)
    ]
    # As with CUDA, a number from the CPU may take part.
    if op not in _COPIES and any(item.ndim for item in elsewhere):
        raise RuntimeError(
            f'Expected all tensors to be on the same device, but {op} got {NAME} and cpu'
        )
    leaves = kwargs.get('device') not in (None, torch.device(NAME), torch.device(NAME, 0)) or (
        op is aten.copy_.default and not isinstance(args[0], RemoteTensor)
    )
    if _waits(op, args, kwargs, leaves=leaves):
        _note_wait(str(op))
    local_args, local_kwargs = pytree.tree_unflatten([_localise(item) for item in flat], structure)
    results = op(*local_args, **local_kwargs)
    if leaves:
        return results
    if any(item.shape != item.local.shape for item in remote):
        raise NotImplementedError(f'{op} changes the shape of what it was given')
    # What an operation changed in place and gives back is the same tensor.
    same = {id(item.local): item for item in remote}
    return pytree.tree_map_only(
        Tensor, lambda item: same[id(item)] if id(item) in same else RemoteTensor(item), results
    )


# Each that counts waits has a list here.
_counts: list[list[str]] = []


@contextmanager
def waits() -> Iterator[list[str]]:
    """Yield the names of the operations for which the host has to wait for the device, so far.

    A GPU computes what it is told while the host goes on, until the host wants a number, or copies
    to the device what it may change afterwards (without `non_blocking`): what
    `torch.cuda.set_sync_debug_mode` complains of.
    """
    names: list[str] = []
    _counts.append(names)
    try:
        yield names
    finally:
        # Not `remove`, which would take another list that is equal.
        _counts[:] = [each for each in _counts if each is not names]


def _note_wait(name: str) -> None:
    for names in _counts:
        names.append(name)


def _waits(op: Callable, args: tuple, kwargs: dict, *, leaves: bool) -> bool:
    if leaves or reads(op, args, kwargs):
        return True
    if op not in _COPIES:
        return False
    source = args[1] if op is aten.copy_.default else args[0]
    is_asynchronous = kwargs.get('non_blocking') or (
        op is aten.copy_.default and args[2:] == (True,)
    )
    return not isinstance(source, RemoteTensor) and not is_asynchronous


def _localise(item: object) -> object:
    if isinstance(item, RemoteTensor):
        return item.local
    if isinstance(item, torch.device) and item.type == NAME:
        return torch.device('cpu')
    return item


class _Module:
    """What `torch.remote` is; PyTorch asks it these things."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return False  # for those who look for a device of their own accord

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        pass

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


@cache
def _library() -> torch.library.Library:
    """Register the device, once in a process; the kernels live as long as what this returns."""
    # Autograd starts a thread for each device at its first backward pass, and a process that has
    # such threads cannot be forked: let it start none for this one.
    torch.ones((), requires_grad=True).backward()
    _setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
    library = torch.library.Library('aten', 'IMPL')
    for name, op in _FACTORIES.items():
        library.impl(name, partial(_compute, op), 'PrivateUse1')
    return library


@contextmanager
def remote_device() -> Iterator[torch.device]:
    """Yield the device `remote`; what belongs to it works within."""
    _library()
    # Autograd's threads, one a device, have started already, without one for this.
    with torch.autograd.set_multithreading_enabled(False):
        yield torch.device(NAME, 0)
