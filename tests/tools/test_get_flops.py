"""Multiplications of a config's network."""

import json

import pytest

from mmdet.cli.get_flops import main
from mmdet.errors import UserError
from tests.processes import run_tool


def test_what_is_written_is_what_is_printed(config, tmp_path, capsys):
    path = tmp_path / 'flops.json'
    arguments = ['--mode', 'train', '--json', str(path)]
    report = main([config, '--shape', '100', '130', *arguments])
    assert json.loads(path.read_text()) == json.loads(json.dumps(report))
    assert report['size'] == (128, 160)
    assert report['candidates'] is None
    title, _, head, *rows = capsys.readouterr().out.splitlines()
    assert title == f'{config}, training of an image of 128 x 160'
    assert head.split()[:2] == ['parameters,', 'M']
    columns = [report[key] for key in ('parameters', 'published', 'here', 'multiplied')]
    for name, row in zip(report['here'], rows, strict=True):
        assert row.startswith(name)
        printed = row.removeprefix(name).split()
        for cell, column, unit in zip(printed, columns, (1e6, 1e9, 1e9, 1e9), strict=True):
            assert cell == '-' or float(cell) == pytest.approx(column[name] / unit, abs=0.00501)
    *_, forward, backward = report['here']
    assert report['published'][backward] > report['published'][forward]


def test_the_tool(config, environment):
    options = ['--shape', '64', '--candidates', '5', '--cfg-options', 'model.test_cfg.score_thr=.1']
    run = run_tool('tools/analysis_tools/get_flops.py', config, *options, environment=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0].endswith('test of an image of 64 x 64, 5 candidates')


@pytest.mark.parametrize('shape', [['1', '2', '3'], ['0'], ['64', '-64']])
def test_a_shape_that_is_none(config, shape):
    with pytest.raises(UserError, match='--shape is a height and a width'):
        main([config, '--shape', *shape])


def test_a_training_has_no_candidates(config):
    with pytest.raises(UserError, match='--candidates is for --mode test'):
        main([config, '--mode', 'train', '--candidates', '5'])
