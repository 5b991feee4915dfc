"""What a small data set takes, measured as that of a million images is."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mmdet.registry import DATASETS


@pytest.fixture
def tool() -> ModuleType:
    path = Path(__file__).parents[2] / 'tools/analysis_tools/measure_large_data.py'
    spec = importlib.util.spec_from_file_location('measure_large_data', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('kind', ['coco', 'parquet', 'sa1b'])
def test_a_set_is_made_as_large_as_asked_for(tool, tmp_path, kind):
    if kind == 'parquet':
        pytest.importorskip('pyarrow', reason='pyarrow is not installed')
    tool.SIZES = dict.fromkeys(tool.SIZES, (48, 64))
    tool.PICTURES = 2
    pipeline = [dict(type='LoadImageFromFile')]
    dataset = DATASETS.build(tool.make_set(kind, tmp_path, 40) | dict(pipeline=pipeline))
    assert len(dataset) == 40
    assert len(dataset[39]['instances']) == tool.OBJECTS[kind]
    assert dataset[39]['img'].shape == (48, 64, 3)
    assert tool.make_set(kind, tmp_path, 40)['type'] == type(dataset).__name__  # not made again


def test_the_memory_of_all_processes_is_counted(tool):
    child = 'import sys; x = bytearray(b"x" * 80_000_000); print(1, flush=True); sys.stdin.read()'
    parent = (
        'import subprocess, sys; p = subprocess.Popen([sys.executable, "-c", sys.argv[1]], '
        'stdin=subprocess.PIPE); p.stdin, sys.stdin.read()'
    )
    with subprocess.Popen(
        [sys.executable, '-c', parent, child],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        assert 85e6 < tool.pss_of(process.pid) < 160e6
        process.stdin.close()
    assert tool.pss_of(os.getpid()) > 50e6
