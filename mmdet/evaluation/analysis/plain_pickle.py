"""Reading a pickle of plain values and tensors without running anything in it.

It may name those things alone of which tensors are made; NumPy's arrays and numbers, which samples
carry beside what was found, are left out, since their types may be told to take any bytes for
objects.
"""

import io
from collections import OrderedDict

import torch
from torch import Tensor
from torch._utils import _rebuild_tensor_v2

from mmdet.utils.known_pickle import EncodedBytes, KnownUnpickler, StandIn
from mmdet.utils.placeholder import Placeholder


def load_plain(content: bytes) -> object:
    """Return what a pickle holds; tensors are on the CPU, a `Placeholder` is where NumPy's were.

    Raises:
        ForbiddenNameError: it asks for anything else.
        Exception: it is damaged, which may break the reader anywhere.
    """
    return _Unpickler(io.BytesIO(content)).load()


class _Tensor(StandIn):
    """A tensor of numbers that are there: their place, size and strides."""

    def __new__(cls, *arguments: object) -> Tensor:
        return _rebuild_tensor_v2(*arguments)


class _Storage(StandIn):
    """The numbers of a tensor, which torch has pickled once more."""

    def __new__(cls, content: bytes) -> object:
        return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)


class _Unpickler(KnownUnpickler):
    table = {
        'collections.OrderedDict': OrderedDict,  # has no attributes that may be set
        'torch._utils._rebuild_tensor_v2': _Tensor,
        'torch.storage._load_from_bytes': _Storage,
        '_codecs.encode': EncodedBytes,
    }

    def find_class(self, module: str, name: str) -> type:
        if module.split('.')[0] == 'numpy':
            return Placeholder
        return super().find_class(module, name)
