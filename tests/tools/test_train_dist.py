"""tools/train_dist.py: what is said when it cannot start, or when a process fails."""

import pytest

from tests.processes import run_tool

CONFIG = 'configs/solo/solo_r18_fpn_shapes-cpu.py'


@pytest.mark.parametrize(
    ('arguments', 'word'),
    [
        ((), 'required: CONFIG, NUM_GPUS'),
        ((CONFIG,), 'required: NUM_GPUS'),
        ((CONFIG, '0'), "'0' is not a number from 1"),
        (('none.py', '2'), 'no such config file: none.py'),
        ((CONFIG, '2', '--amq'), 'unrecognized arguments: --amq'),
    ],
)
def test_wrong_arguments_start_nothing(environment, arguments, word):
    run = run_tool('tools/train_dist.py', *arguments, environment=environment)
    assert run.returncode == 2
    assert word in run.stderr.splitlines()[-1]
    assert '[rank' not in run.stderr


def test_the_last_line_says_which_process_failed_and_of_what(environment, tmp_path):
    options = ('--data-root', '/nowhere', '--work-dir', str(tmp_path))
    run = run_tool('tools/train_dist.py', CONFIG, '2', *options, environment=environment)
    assert run.returncode == 2, run.stderr
    last = run.stderr.splitlines()[-1]
    assert last.startswith('error: rank ')
    assert last.endswith(' failed: --data-root /nowhere is not a folder')
    assert 'processes: 2' in run.stdout
