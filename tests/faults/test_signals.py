"""A training that is asked to stop saves where it is, says so, and leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.conftest import REPO
from tests.faults.training import config

Start = Callable[..., subprocess.Popen]
MANY = ('--cfg-options', 'train_cfg.max_epochs=500')


@pytest.fixture
def settings(shapes_root, tmp_path) -> str:
    """The training with much that is random, as a file; it logs each step."""
    cfg = config(shapes_root, tmp_path / 'w', workers=2)
    cfg.default_hooks = dict(
        logger=dict(type='LoggerHook', interval=1),
        checkpoint=dict(type='CheckpointHook', interval=99),
        sampler_seed=dict(type='DistSamplerSeedHook'),
    )
    cfg.log_level = 'INFO'
    cfg.model.neck.type = 'FPN'
    cfg.dump(tmp_path / 'settings.py')
    return str(tmp_path / 'settings.py')


@pytest.fixture
def start(environment) -> Iterator[Start]:
    """Start a tool in a session of its own, whose processes are found by it."""
    started = []

    def run(*arguments: object) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=REPO,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


def members(session: int) -> dict[int, str]:
    """Return the command lines of a session's processes that are alive."""
    found = {}
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            state, _, _, owner = folder.joinpath('stat').read_text().rpartition(')')[2].split()[:4]
            if int(owner) == session and state != 'Z':
                found[int(folder.name)] = folder.joinpath('cmdline').read_text()
        except OSError:
            continue  # it has just ended
    return found


def wait_for(process: subprocess.Popen, text: str, *, times: int = 1) -> None:
    for line in process.stdout:
        times -= text in line
        if times == 0:
            return
    pytest.fail(f'it ended with {process.wait()}: {process.stderr.read()}')


def end(process: subprocess.Popen) -> tuple[str, float]:
    """Return all that it printed, and how long it took to end."""
    begin = time.monotonic()
    out, err = process.communicate(timeout=120)
    assert not members(process.pid)
    assert 'Traceback' not in out + err, err
    return out + err, time.monotonic() - begin


def saved(text: str, folder: Path, *, by: str) -> Path:
    (line,) = (line for line in text.splitlines() if f'Stopped by {by}' in line)
    path = Path((folder / 'last_checkpoint').read_text())
    assert str(path) in line
    assert torch.load(path, weights_only=True)['meta']['iter'] == int(path.stem.split('_')[1])
    return path


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
@pytest.mark.parametrize('kill', [os.kill, os.killpg], ids=['one', 'group'])
def test_one_process(start, settings, tmp_path, kill, number):
    process = start('tools/train.py', settings, *MANY)
    wait_for(process, 'Epoch(train)', times=2)
    kill(process.pid, number)
    text, seconds = end(process)
    assert process.returncode == 128 + number
    assert seconds < 25
    saved(text, tmp_path / 'w', by=number.name)
