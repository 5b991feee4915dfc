"""The tables say what the files say, of which each makes a row."""

import json

import pytest

from mmdet.errors import UserError
from tests.processes import run_tool
from tools.analysis_tools.benchmark_table import main

MACHINE = dict(gpu='A GPU', cpu='a CPU', torch='2.14.1')
TRAINED = dict(
    mode='train',
    machine=MACHINE,
    size=[800, 1344],
    images=2,
    mixed_precision='float16',
    seconds=0.25,
    images_a_second=8.0,
    peak_memory=3_210_000_000,
    waits={'a': 2, 'b': 1},
)
LOADED = dict(mode='data', machine=MACHINE, images_a_second=145.04, workers=4)
THEIRS = dict(mode='train', forward=0.2, backward=0.3, peak_gb=8.0)
OURS = dict(mode='train', forward=0.1, backward=0.1, peak_gb=4.0)


@pytest.fixture
def printed(tmp_path, capsys):
    def run(**reports: dict) -> list[str]:
        for name, report in reports.items():
            (tmp_path / f'{name.replace("__", ".")}.json').write_text(json.dumps(report))
        main([str(tmp_path)])
        return capsys.readouterr().out.splitlines()

    return run


def test_steps_and_data(printed):
    lines = printed(solo=TRAINED, plain=dict(TRAINED, mixed_precision=None), data=LOADED)
    assert lines[0] == 'A GPU, torch 2.14.1' and lines.count(lines[0]) == 1
    assert '| solo | 2 x 800 x 1344 | float16 | 250.0 ms | 8.00 | 3.21 GB | 3 |' in lines
    assert '| plain | 2 x 800 x 1344 | float32 | 250.0 ms | 8.00 | 3.21 GB | 3 |' in lines
    assert '| data | 145.0 | 4 |' in lines
    assert not any('mmdet' in line for line in lines)


def test_beside_mmdetection(printed):
    tested = dict(THEIRS, mode='test', backward=9.0)
    lines = printed(a__mmdet=THEIRS, a__here=OURS, b__mmdet=tested)
    assert lines[1] == '| | mmdet 3.3 | here | time | memory |'
    assert lines[3:] == [
        '| a | 500.0 ms, 8.00 GB | 200.0 ms, 4.00 GB | 0.40 | 0.50 |',
        '| b | 200.0 ms, 8.00 GB | - | - | - |',
    ]


def test_what_it_refuses(tmp_path, environment):
    with pytest.raises(UserError, match='holds no'):
        main([str(tmp_path)])
    (tmp_path / 'a.json').write_text('[1]')
    with pytest.raises(UserError, match='not written by'):
        main([str(tmp_path)])
    (tmp_path / 'a.json').write_text('{')
    run = run_tool('tools/analysis_tools/benchmark_table.py', tmp_path, environment=environment)
    assert run.returncode == 2 and 'a.json is no JSON' in run.stderr.splitlines()[-1]
