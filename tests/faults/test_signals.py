"""A training that is asked to stop saves where it is, says so, and leaves no process behind."""

import copy
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from tests.conftest import REPO
from tests.faults.training import EPOCH, config, with_validation

Start = Callable[..., subprocess.Popen]
MANY = ('--cfg-options', 'train_cfg.max_epochs=500')


@pytest.fixture
def cfg(shapes_root, tmp_path) -> Config:
    """The training with much that is random; it logs each step."""
    cfg = config(shapes_root, tmp_path / 'w', workers=2)
    cfg.default_hooks = dict(
        logger=dict(type='LoggerHook', interval=1),
        checkpoint=dict(type='CheckpointHook', interval=99),
        sampler_seed=dict(type='DistSamplerSeedHook'),
    )
    cfg.log_level = 'INFO'
    cfg.model.neck.type = 'FPN'
    return cfg


def written(cfg: Config, folder: Path) -> str:
    cfg.dump(folder / 'settings.py')
    return str(folder / 'settings.py')


@pytest.fixture
def settings(cfg, tmp_path) -> str:
    return written(cfg, tmp_path)


def held(cfg: Config, folder: Path, *, after: str) -> str:
    """Return settings of a training that takes long after a step; it says so."""
    (folder / 'slow.py').write_text(
        'import time\n'
        'from mmengine.hooks import Hook\n'
        'from mmdet.registry import HOOKS\n'
        '@HOOKS.register_module()\n'
        'class Slow(Hook):\n'
        f'    def {after}(self, runner, batch_idx=0, data_batch=None, outputs=None):\n'
        f'        print("held {after}", flush=True)\n'
        '        time.sleep(5)\n'
    )
    cfg = copy.deepcopy(cfg)
    cfg.custom_hooks.append(dict(type='Slow'))
    path = Path(written(cfg, folder))
    path.write_text(
        f'import sys\nsys.path.insert(0, {str(folder)!r})\n{path.read_text()}\n'
        "custom_imports = dict(imports=['slow'])\n"
    )
    return str(path)


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


def weights(folder: Path, epoch: int) -> dict[str, torch.Tensor]:
    return torch.load(folder / f'epoch_{epoch}.pth', weights_only=True)['state_dict']


def rank_of(session: int, rank: int) -> int:
    """Return the process id of a rank; it is the parent of its loader's workers."""
    ranks = [
        int(folder.name)
        for folder in Path('/proc').glob('[0-9]*')
        if int(folder.name) in members(session)
        and f'RANK={rank}'.encode() in folder.joinpath('environ').read_bytes().split(b'\0')
    ]
    return min(ranks)


@pytest.mark.parametrize(
    ('number', 'target'),
    [
        (signal.SIGUSR1, 'torchrun'),
        (signal.SIGINT, 'group'),
        *(
            pytest.param(number, target, marks=pytest.mark.long)
            for target in ('torchrun', 'group', 'rank 1')
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
        ),
    ],
)
def test_two_processes(start, settings, tmp_path, number, target):
    process = start('tools/train_dist.py', settings, 2, *MANY)
    wait_for(process, 'Epoch(train)', times=2)
    if target == 'group':
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid if target == 'torchrun' else rank_of(process.pid, 1), number)
    text, seconds = end(process)
    print(text)
    assert process.returncode == 128 + number
    assert seconds < 25
    saved(text, tmp_path / 'w', by='SIG')
    assert text.splitlines()[-1] == f'error: stopped by {number.name}'


@pytest.mark.parametrize(
    'tool', [('tools/train.py',), pytest.param(('tools/train_dist.py', 2), marks=pytest.mark.long)]
)
def test_it_ends_as_if_it_had_never_been_stopped(start, settings, tmp_path, tool):
    program, *processes = tool
    epochs = ('--cfg-options', 'train_cfg.max_epochs=4', 'default_hooks.checkpoint.interval=2')
    whole = start(program, settings, *processes, *epochs, '--work-dir', tmp_path / 'whole')
    stopped = start(program, settings, *processes, *epochs)
    wait_for(stopped, 'Epoch(train)', times=2)
    os.killpg(stopped.pid, signal.SIGUSR1)
    end(stopped)
    assert stopped.returncode == 128 + signal.SIGUSR1
    resumed = start(program, settings, *processes, *epochs, '--resume')
    for process in (resumed, whole):
        end(process)
        assert process.returncode == 0
    expected, found = weights(tmp_path / 'whole', 4), weights(tmp_path / 'w', 4)
    for name, weight in expected.items():
        assert torch.equal(found[name], weight), name


def test_a_second_ctrl_c_saves_nothing(start, cfg, tmp_path):
    process = start('tools/train.py', held(cfg, tmp_path, after='after_train_iter'))
    wait_for(process, 'held after_train_iter')
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    text, _ = end(process)
    assert process.returncode == 130
    assert text.splitlines()[-1] == 'error: interrupted'
    assert not list((tmp_path / 'w').glob('*.pth'))


def test_a_validation_is_left_and_the_epoch_before_it_is_saved(start, cfg, tmp_path, shapes_root):
    """The model has its averaged weights while it is validated; it goes on with its own."""
    cfg = with_validation(cfg, shapes_root)
    cfg.train_cfg.max_epochs = 2
    cfg.custom_hooks = [dict(type='EMAHook', momentum=0.1)]
    whole = start('tools/train.py', written(cfg, tmp_path), '--work-dir', tmp_path / 'whole')
    end(whole)
    process = start('tools/train.py', held(cfg, tmp_path, after='after_val_iter'))
    wait_for(process, 'held after_val_iter')
    process.send_signal(signal.SIGTERM)
    text, _ = end(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert saved(text, tmp_path / 'w', by='SIGTERM').name == f'iter_{EPOCH}.pth'
    resumed = start('tools/train.py', written(cfg, tmp_path), '--resume')
    text, _ = end(resumed)
    assert resumed.returncode == 0, text
    expected, found = (
        torch.load(tmp_path / name, weights_only=True)
        for name in ('whole/epoch_2.pth', 'w/epoch_2.pth')
    )
    for kind in ('state_dict', 'ema_state_dict'):
        torch.testing.assert_close(found[kind], expected[kind], rtol=0, atol=0)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGUSR1])
def test_while_it_is_set_up_there_is_nothing_to_save(start, cfg, tmp_path, number):
    process = start('tools/train.py', held(cfg, tmp_path, after='before_run'))
    wait_for(process, 'held before_run')
    process.send_signal(number)
    _, seconds = end(process)
    assert process.returncode == 128 + number
    assert seconds < 5
    assert not list((tmp_path / 'w').glob('*.pth'))
