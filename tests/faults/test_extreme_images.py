"""Images of extreme sizes are trained and tested on, each in a process; memory is bounded."""

import json

import pytest

from tests.faults.extreme import KINDS, main
from tests.processes import run_tool

# Peak memory in MB beyond what was taken before the first image was read, about one and a half
# times what was measured: see docs/reliability.md. As bitmaps, the masks alone of the last two
# take 2.9 and 3.2 GB.
LIMITS = dict(
    usual=dict(train=250, test=450),
    flat=dict(train=100, test=100),
    high=dict(train=100, test=100),
    pixel=dict(train=200, test=400),
    large=dict(train=1400, test=1300),
    crowded=dict(train=2300, test=550),
)


@pytest.mark.long
@pytest.mark.parametrize('stage', ['train', 'test'])
@pytest.mark.parametrize('kind', KINDS)
def test_memory_is_bounded(environment, tmp_path, kind, stage):
    run = run_tool(
        '-m', 'tests.faults.extreme', kind, stage, str(tmp_path), environment=environment
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    print(found)
    assert found['peak'] - found['before'] < LIMITS[kind][stage]


@pytest.mark.parametrize('kind', ['flat', 'pixel'])
def test_a_narrow_image_trains(tmp_path, capsys, kind):
    main(kind, 'train', tmp_path)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])['kind'] == kind
