"""A training that is asked to stop saves where it is, says so, and leaves no process behind."""

import os
import signal
import sysconfig
import time

import pytest
import torch

from tests.conftest import REPO
from tests.faults.sessions import end, held, members, rank_of, saved, wait_for, weights, written
from tests.faults.training import EPOCH, with_validation
from tests.test_scripts import add_ours, make_environment

MANY = ('--cfg-options', 'train_cfg.max_epochs=500')


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


@pytest.mark.parametrize(
    ('number', 'target'),
    [
        (signal.SIGUSR1, 'torchrun'),
        (signal.SIGINT, 'all'),
        *(
            pytest.param(number, target, marks=pytest.mark.long)
            for target in ('torchrun', 'all', 'rank 1')
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
        ),
    ],
)
def test_two_processes(start, settings, tmp_path, number, target):
    process = start('tools/train_dist.py', settings, 2, *MANY)
    wait_for(process, 'Epoch(train)', times=2)
    targets = {'torchrun': [process.pid], 'all': members(process), 'rank 1': [rank_of(process, 1)]}
    for each in targets[target]:
        os.kill(each, number)
    text, seconds = end(process)
    assert process.returncode == 128 + number
    assert seconds < 25
    saved(text, tmp_path / 'w', by='SIG')
    assert text.splitlines()[-1] == f'error: stopped by {number.name}'


@pytest.fixture
def active(tmp_path) -> dict[str, str]:
    """Variables of an active environment with this package, which the scripts' set-up takes."""
    site = make_environment(tmp_path / 'active')
    (site / 'cv2.py').unlink()  # a stand-in
    add_ours(site, REPO)
    (site / 'others.pth').write_text(sysconfig.get_paths()['purelib'])
    path = f'{tmp_path}/active/bin:{os.environ["PATH"]}'
    return dict(VIRTUAL_ENV=f'{tmp_path}/active', PATH=path)


@pytest.mark.long
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
@pytest.mark.parametrize('script', [('train.sh',), ('train_dist.sh', 1), ('train_dist.sh', 2)])
def test_through_the_scripts(start, settings, tmp_path, active, script, number):
    program, *processes = script
    process = start(program, settings, *processes, *MANY, **active)
    wait_for(process, 'Epoch(train)', times=2)
    process.send_signal(number)
    text, seconds = end(process)
    assert process.returncode == 128 + number
    assert seconds < 25
    saved(text, tmp_path / 'w', by='SIG')


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
    time.sleep(2)
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


def test_a_second_ctrl_c_ends_two_processes(start, cfg, tmp_path):
    process = start('tools/train_dist.py', held(cfg, tmp_path, after='after_train_iter'), 2)
    wait_for(process, 'held after_train_iter')
    process.send_signal(signal.SIGINT)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    text, _ = end(process)
    assert process.returncode == 130
    assert text.splitlines()[-1] == 'error: stopped by SIGINT'
    assert not list((tmp_path / 'w').glob('*.pth'))
