"""PaddlePaddle's `.pdparams`, a bare pickle of NumPy arrays, read without running anything.

An array is pickled as calls: of NumPy for an empty one, for its type and for its content, and in
protocol 2, which has no bytes, of a codec for these. The unpickler here knows those five names and
no other, and has a class of its own for each, which checks what it is given and does no more.
"""

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmdet.errors import UserError
from mmdet.utils.known_pickle import EncodedBytes, ForbiddenNameError, KnownUnpickler, StandIn

SUFFIX = '.pdparams'
# Beside the weights it holds what the framework calls each, a dict of strings, of no use here.
_OTHER_NAMES = 'StructuredToParameterName@@'


class _Type(StandIn):
    """A type of numbers: `dtype('f4', False, True)`, then its state with the order of bytes."""

    def __init__(self, code: object, align: object = False, copy: object = True) -> None:
        # Paddle has bfloat16 as `u2`, whose values would be others.
        if code not in ('f2', 'f4', 'f8', 'i4', 'i8'):
            raise pickle.UnpicklingError(f'it holds an array of type {code!r:.100}')
        self.type = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        self.type = self.type.newbyteorder(state[1])


class _Array(StandIn):
    """An array: `_reconstruct(ndarray, (0,), b'b')`, then its state, of which its content is."""

    content: Tensor | None = None

    def __init__(self, kind: object, shape: object, code: object) -> None:
        pass

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, is_fortran, data = state
        array = np.frombuffer(data, kind.type).reshape(shape, order='F' if is_fortran else 'C')
        # A copy that may be written to, in the machine's own order of bytes.
        self.content = torch.from_numpy(array.astype(kind.type.newbyteorder('='), order='C'))


class _ArrayClass(StandIn):
    """What `_reconstruct` is asked for an array of; nothing can be done with it."""

    def __init__(self, *_: object) -> None:
        raise pickle.UnpicklingError('it calls numpy.ndarray itself')


class _NoBytes(StandIn):
    """No bytes at all, which protocol 2 writes as a call without arguments."""

    def __new__(cls) -> bytes:
        return b''


class _Unpickler(KnownUnpickler):
    table = {
        'numpy._core.multiarray._reconstruct': _Array,
        'numpy.core.multiarray._reconstruct': _Array,  # NumPy 1
        'numpy.ndarray': _ArrayClass,
        'numpy.dtype': _Type,
        '_codecs.encode': EncodedBytes,
        '__builtin__.bytes': _NoBytes,  # as Python 2 called it
    }


def read_pdparams(path: Path, *, map_location: str | torch.device | None) -> dict[str, Tensor]:
    """Read the weights that `paddle.save` wrote.

    Args:
        path: the file.
        map_location: where the tensors go; None for the CPU.

    Raises:
        UserError: the file is none of Paddle's, is cut off, or asks for anything but arrays.
    """
    with path.open('rb') as file:
        if file.read(4) == b'PK\3\4':
            raise UserError(
                f'{path} is not a file of weights of PaddlePaddle but of torch: call it .pth'
            )
        file.seek(0)
        try:
            content = _Unpickler(file).load()
        except ForbiddenNameError as error:
            asked_for = f'{str(error)!r:.100}'
            raise _refusal(path, f'it asks for {asked_for}, which no array needs') from None
        except pickle.UnpicklingError as error:
            raise _refusal(path, str(error)) from None
        except Exception as error:  # a damaged file may break the reader anywhere
            raise _refusal(path, f'it is damaged or cut off ({type(error).__name__})') from None
    if not isinstance(content, dict):
        raise _refusal(path, f'it holds a {type(content).__name__}, not weights by their names')
    weights: dict[str, Tensor] = {}
    for name, value in content.items():
        if name == _OTHER_NAMES:
            continue
        if not isinstance(value, _Array) or value.content is None:
            kind = type(value).__name__.strip('_').lower()
            raise _refusal(path, f'{name!r:.100} in it is not a whole array but a {kind}')
        weights[name] = value.content.to(map_location or 'cpu')
    return weights


def _refusal(path: Path, reason: str) -> UserError:
    return UserError(f'{path} is not a file of weights of PaddlePaddle: {reason}')
