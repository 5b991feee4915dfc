"""The compiled library: what it depends on, and what happens without it."""

import shutil
import subprocess
import sys

import pytest
import torch

from mmdet.ops import _extension
from mmdet.ops._extension import (
    AUTOCAST_KEYS,
    CPU_OPS,
    IS_LOADED,
    LIBRARY,
    OPS,
    has_kernel,
    warn_of_slow_ops,
)

built = pytest.mark.skipif(not IS_LOADED, reason='the extension is absent or hidden')


@pytest.fixture
def log(monkeypatch) -> list[str]:
    """What is logged."""
    lines = []
    monkeypatch.setattr(_extension, 'print_log', lambda message, **_: lines.append(message))
    return lines


@built
def test_every_op_has_a_kernel_for_the_cpu(log):
    assert all(has_kernel(op, torch.empty(0)) for op in OPS)
    warn_of_slow_ops('cpu')
    assert log == []


def test_no_op_has_a_kernel_for_a_device_that_nobody_built_one_for():
    assert not any(has_kernel(op, torch.empty(0, device='meta')) for op in OPS)


@built
@pytest.mark.parametrize('key', AUTOCAST_KEYS)
def test_every_op_says_what_it_does_under_autocast(key):
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    assert all(has_kernel(f'mmdet_solo::{op}', key) for op in (*OPS, *CPU_OPS))


def undefined_symbols() -> dict[str, str]:
    """What the library asks of others, and as what kind."""
    if not shutil.which('nm'):
        pytest.skip('there is no nm')
    listed = subprocess.run(
        ['nm', '-D', '--undefined-only', LIBRARY], check=True, capture_output=True, text=True
    ).stdout
    return {line.split()[-1]: line.split()[-2] for line in listed.splitlines()}


@built
def test_the_library_serves_every_python_and_every_torch():
    symbols = undefined_symbols()
    assert 'aoti_torch_get_data_ptr' in symbols or 'torch_get_const_data_ptr' in symbols
    assert not [name for name in symbols if name.startswith(('Py', '_Py', 'cuda'))]
    # torch's C++ interface, which changes from version to version
    assert not [name for name in symbols if 'c10' in name.lower() and name.startswith('_ZN')]


@built
def test_the_library_needs_torchs_cuda_only_where_it_is_there():
    if ('matrix_nms', 'cuda') not in _extension._KERNELS:
        pytest.skip('the extension is built without CUDA')
    symbols = undefined_symbols()
    cuda = [kind for name, kind in symbols.items() if 'cuda' in name and 'device_type' not in name]
    assert cuda and set(cuda) == {'w'}, 'w: weak, and null where it is absent'


def test_without_the_library_the_references_run_and_a_warning_names_them(environment):
    program = """
import torch
from mmdet.ops import matrix_nms
from mmdet.ops._extension import IS_LOADED, warn_of_slow_ops
assert not IS_LOADED
masks, labels = torch.ones(2, 4, 4, dtype=torch.bool), torch.zeros(2, dtype=torch.long)
assert matrix_nms(masks, labels, torch.tensor([0.5, 0.5]), kernel='linear').tolist() == [0.5, 0]
warn_of_slow_ops('cpu')
"""
    done = subprocess.run(
        [sys.executable, '-c', program],
        env={**environment, 'MMDET_NO_EXTENSION': '1'},
        check=True,
        capture_output=True,
        text=True,
    )
    printed = done.stdout + done.stderr
    assert 'WARNING' in printed
    assert printed.count('hidden by MMDET_NO_EXTENSION') == 1
    assert all(op in printed for op in OPS)


def test_a_library_that_cannot_be_loaded_is_named(tmp_path, monkeypatch):
    broken = tmp_path / '_C.abi3.so'
    broken.write_text('no library')
    monkeypatch.delenv('MMDET_NO_EXTENSION', raising=False)
    monkeypatch.setattr(_extension, 'LIBRARY', broken)
    assert str(broken) in _extension._load()
    broken.unlink()
    assert 'not built: install the package again' in _extension._load()


def test_a_build_without_cuda_is_told_from_no_build(monkeypatch, log):
    monkeypatch.setattr(_extension, '_WHY_ABSENT', '')
    monkeypatch.setattr(_extension, '_KERNELS', frozenset((op, 'cpu') for op in OPS))
    warn_of_slow_ops('cuda')
    (line,) = log
    assert 'built without CUDA: install the package again' in line
    assert 'FORCE_CUDA=1' in line
