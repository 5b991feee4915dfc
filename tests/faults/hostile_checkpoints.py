"""Checkpoint files that make a file, the canary, where whoever reads them runs what is in them."""

import io
import json
import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.logging import HistoryBuffer
from torch import nn


class Call:
    """Unpickling it calls a function; its arguments may be further calls."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple:
        return self.function, self.arguments

    def __call__(self) -> None:
        """Pickle asks that what it calls can be called."""


def _shell(canary: Path) -> str:
    return f'touch {canary}'


def _program(canary: Path) -> str:
    return f'open({str(canary)!r}, "w")'


def _saved(payload: object, path: Path, *, legacy: bool = False, where: str = 'state_dict') -> None:
    checkpoint = dict(state_dict=dict(a=torch.ones(1)), meta=dict(epoch=1, iter=1), message_hub={})
    checkpoint[where] = {**checkpoint.get(where, {}), 'payload': payload}
    torch.save(checkpoint, path, _use_new_zipfile_serialization=not legacy)


def _getattr(canary: Path) -> Call:
    """What a list of safe globals with `getattr` and HistoryBuffer lets through."""
    function_globals = Call(getattr, HistoryBuffer.mean, '__globals__')
    builtins = Call(Call(getattr, function_globals, 'get'), '__builtins__')
    run = Call(Call(getattr, builtins, 'get'), 'exec')
    return Call(run, _program(canary))


def _nested(canary: Path) -> bytes:
    return pickle.dumps(Call(os.system, _shell(canary)))


def _torch_nested(canary: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save(Call(os.system, _shell(canary)), buffer)
    return buffer.getvalue()


class _Scripted(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1


def _torchscript(path: Path, canary: Path) -> None:
    torch.jit.script(_Scripted()).save(str(path))


def _compressed(path: Path, canary: Path) -> None:
    """A record of zeros; in the directory its size may say anything."""
    _saved(None, path)
    with zipfile.ZipFile(path) as source:
        records = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as target:
        for name, content in records.items():
            target.writestr(name, content)
        target.writestr('a/data/9', bytes(200 << 20))


def _safetensors(header: dict | bytes, *, length: int | None = None, data: int = 8) -> Callable:
    def write(path: Path, canary: Path) -> None:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path.write_bytes(struct.pack('<Q', length or len(text)) + text + bytes(data))

    return write


def _tensor(start: int, end: int, count: int = 2) -> dict:
    return dict(dtype='F32', shape=[count], data_offsets=[start, end])


def _pickled(payload: Callable[[Path], object], **settings: object) -> Callable:
    return lambda path, canary: _saved(payload(canary), path, **settings)


# What writes a file, by the ending of its name, and what the refusal must say of it.
FILES: dict[str, tuple[Callable[[Path, Path], None], str, str]] = {
    'system': (_pickled(lambda c: Call(os.system, _shell(c))), '.pth', r'asks for posix\.system'),
    'popen': (
        _pickled(lambda c: Call(subprocess.Popen, ['touch', str(c)])),
        '.pth',
        r'asks for (subprocess|commands)\.Popen',
    ),
    'eval': (_pickled(lambda c: Call(eval, _program(c))), '.pth', 'asks for .*eval'),
    'exec in meta': (
        _pickled(lambda c: Call(exec, _program(c)), where='meta'),
        '.pth',
        'asks for .*exec',
    ),
    'in the log': (
        _pickled(lambda c: Call(exec, _program(c)), where='message_hub'),
        '.pth',
        'asks for .*exec',
    ),
    'getattr': (_pickled(_getattr), '.pth', 'it calls what another object in it would make'),
    'nested pickle': (
        _pickled(lambda c: Call(pickle.loads, _nested(c))),
        '.pth',
        r'_?pickle\.loads',
    ),
    'nested checkpoint': (
        _pickled(lambda c: Call(torch.storage._load_from_bytes, _torch_nested(c))),
        '.pth',
        r'torch\.storage\._load_from_bytes',
    ),
    'legacy': (
        _pickled(lambda c: Call(os.system, _shell(c)), legacy=True),
        '.pth',
        r'asks for posix\.system',
    ),
    'bare pickle': (
        lambda path, canary: path.write_bytes(_nested(canary)),
        '.pth',
        'it is a pickle that torch did not write',
    ),
    "Paddle's": (
        lambda path, canary: path.write_bytes(_nested(canary)),
        '.pdparams',
        r"asks for 'posix\.system'",
    ),
    'torchscript': (_torchscript, '.pth', 'is a TorchScript program, which is code'),
    'compressed': (_compressed, '.pth', 'is compressed, and would unpack to'),
    'renamed': (
        lambda path, canary: path.write_bytes(_nested(canary)),
        '.safetensors',
        'not a safetensors file',
    ),
    'huge header': (
        _safetensors(dict(a=_tensor(0, 8)), length=2**62),
        '.safetensors',
        'not a safetensors file.*[Hh]eader',
    ),
    'header cut off': (
        _safetensors(dict(a=_tensor(0, 8)), length=10**6),
        '.safetensors',
        'not a safetensors file',
    ),
    'no json': (_safetensors(b'{"a": '), '.safetensors', 'not a safetensors file'),
    'overlapping': (
        _safetensors(dict(a=_tensor(0, 8), b=_tensor(4, 12)), data=12),
        '.safetensors',
        'not a safetensors file.*[Oo]ffset',
    ),
    'beyond the end': (
        _safetensors(dict(a=_tensor(0, 8 << 30, 2 << 30))),
        '.safetensors',
        'not a safetensors file',
    ),
    'size that overflows': (
        _safetensors(dict(a=dict(dtype='F32', shape=[2**62, 2**62], data_offsets=[0, 8]))),
        '.safetensors',
        'not a safetensors file',
    ),
}
