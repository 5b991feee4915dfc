"""Reading a pickle of plain values and tensors without running anything in it.

A pickle names functions and says what to call them with. Here it may name those alone of which
tensors are made; NumPy's arrays and numbers, which samples carry beside what was found, are left
out, since their types may be told to take any bytes for objects.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any

import torch
from torch._utils import _rebuild_tensor_v2

from mmdet.utils.placeholder import Placeholder


class ForbiddenNameError(pickle.UnpicklingError):
    """A pickle names what is no plain value and no tensor; the text is the name."""


def load_plain(content: bytes) -> object:
    """Return what a pickle holds; tensors are on the CPU, a `Placeholder` is where NumPy's were.

    Raises:
        ForbiddenNameError: it asks for anything else.
        Exception: it is damaged, which may break the reader anywhere.
    """
    return _Unpickler(io.BytesIO(content)).load()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.split('.')[0] == 'numpy':
            return Placeholder
        try:
            return _KNOWN[f'{module}.{name}']
        except KeyError:
            raise ForbiddenNameError(f'{module}.{name}') from None


def _storage(content: bytes) -> object:
    """Return the numbers of a tensor, which torch has pickled once more."""
    return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)


def _bytes(text: str, encoding: str) -> bytes:
    """Return bytes as pickles before protocol 3 hold them, in a text."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'bytes written as {encoding}')
    return text.encode('latin1')


_KNOWN = {
    'collections.OrderedDict': OrderedDict,
    'torch._utils._rebuild_tensor_v2': _rebuild_tensor_v2,
    'torch.storage._load_from_bytes': _storage,
    '_codecs.encode': _bytes,
}
