"""A process of a training is killed: the others end, and a restart goes on exactly."""

import os
import signal
from pathlib import Path

import pytest
import torch

from tests.faults.sessions import Session, end, members, rank_of, wait_for, weights

EPOCHS = 20
SETTINGS = (
    *('--cfg-options', f'train_cfg.max_epochs={EPOCHS}', 'default_hooks.checkpoint.interval=1'),
    'default_hooks.checkpoint.max_keep_ckpts=1',
)


def kill_worker(session: Session, *, of: int) -> None:
    """Kill a worker of the loader of a process."""

    def parent(process: int) -> int:
        return int(Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[1])

    os.kill(next(each for each in members(session) if parent(each) == of), signal.SIGKILL)


def test_one_of_two_is_killed(start, settings):
    process = start('tools/train_dist.py', settings, 2, *SETTINGS)
    wait_for(process, 'Epoch(train)', times=2)
    os.kill(rank_of(process, 1), signal.SIGKILL)
    text, seconds = end(process)
    assert process.returncode == 1
    assert seconds < 60
    assert text.splitlines()[-1].startswith('error: rank 1 was killed by signal 9')


def test_a_worker_is_killed(start, settings):
    process = start('tools/train.py', settings, *SETTINGS)
    wait_for(process, 'Epoch(train)', times=2)
    kill_worker(process, of=process.pid)
    text, seconds = end(process)
    assert process.returncode == 2
    assert seconds < 60
    last = text.splitlines()[-1]
    assert last.startswith('error: DataLoader worker (pid')
    assert 'The workers were at ' in last and last.count('/train2017/') == 4


@pytest.mark.long
@pytest.mark.parametrize('whom', ['rank', 'worker'])
def test_a_restart_ends_as_if_nothing_had_been_killed(start, settings, tmp_path, whom):
    whole = start('tools/train_dist.py', settings, 2, *SETTINGS, '--work-dir', tmp_path / 'whole')
    options = ('--max-restarts', 1)
    process = start('tools/train_dist.py', settings, 2, *options, *SETTINGS)
    wait_for(process, 'Epoch(train)  [2][2/3]')
    rank = rank_of(process, 1)
    if whom == 'rank':
        os.kill(rank, signal.SIGKILL)
    else:
        kill_worker(process, of=rank)
    text, _ = end(process, tracebacks=True)
    assert process.returncode == 0, text
    assert 'resumed epoch: ' in text
    end(whole)
    torch.testing.assert_close(
        weights(tmp_path / 'w', EPOCHS), weights(tmp_path / 'whole', EPOCHS), rtol=0, atol=0
    )
