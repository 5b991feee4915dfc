"""A process that is killed, or runs out of disk, while it saves: what was saved before still loads.

`max_keep_ckpts=1` throughout: nothing but the order of saving and deleting protects the last one.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet.engine.checkpoint import checkpoint_to_resume
from tests.faults.small_training import Kind, build, soundness, start

MEGABYTES = 16
POINTS = 20


def killed_save(kind: Kind, folder: Path, *, point: int, signal_number: int) -> None:
    """Kill a training when its second checkpoint has `point` of 20 parts of its size."""
    folder.mkdir()
    training = partial(build, kind, folder, megabytes=MEGABYTES)
    process = start(kind, lambda: training().train(), output=folder / 'output')
    first, second = folder / 'epoch_1.pth', 'epoch_2.pth'
    size = MEGABYTES << 20
    while process.is_alive():
        if first.exists() or (folder / second).exists():
            written = max(size_of(folder / second), size_of(folder / '.saving' / second))
            if written >= max(size * point // POINTS, 1):
                os.kill(process.pid, signal_number)
                break
        time.sleep(1e-4)  # the other process needs the processor
    process.join(60)
    assert process.exitcode == -signal_number, (folder / 'output').read_text()


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@pytest.mark.parametrize(
    ('signal_number', 'points'),
    [
        (signal.SIGKILL, (0, 10, 20)),
        (signal.SIGTERM, (5, 15)),
        pytest.param(signal.SIGKILL, range(POINTS + 1), marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, range(POINTS + 1), marks=pytest.mark.long),
    ],
)
def test_killed_while_saving(tmp_path, signal_number, points):
    for point in points:
        folder = tmp_path / str(point)
        killed_save('ours', folder, point=point, signal_number=signal_number)
        sound, broken = soundness(folder)
        assert sound and not broken, point
        assert Path(checkpoint_to_resume(str(folder))).name in sound


def test_mmengine_loses_everything(tmp_path):
    """What the above shows is no accident of the test: mmengine's own classes fail it."""
    killed_save('mmengine', tmp_path / 'w', point=10, signal_number=signal.SIGKILL)
    assert soundness(tmp_path / 'w') == ([], ['epoch_2.pth'])


def test_what_a_killed_process_left_is_cleared(tmp_path):
    folder = tmp_path / 'w'
    killed_save('ours', folder, point=10, signal_number=signal.SIGKILL)
    assert (folder / '.saving/epoch_2.pth').exists()
    build('ours', folder, epochs=3, megabytes=MEGABYTES, resume=True).train()
    assert soundness(folder) == (['epoch_3.pth'], [])
    assert not (folder / '.saving').exists()


class KillAt(Hook):
    """Kill this process between the saving of a checkpoint and the deleting of the one before."""

    priority = 'LOWEST'

    def after_train_epoch(self, runner: Runner) -> None:
        hook = next(hook for hook in runner.hooks if hasattr(hook, 'keep_ckpt_ids'))
        if runner.epoch == 0:
            hook.file_backend.remove = lambda path: os.kill(os.getpid(), signal.SIGKILL)


def test_killed_before_the_old_one_is_deleted(tmp_path):
    process = start(
        'ours',
        lambda: build('ours', tmp_path, custom_hooks=(KillAt(),)).train(),
        output=tmp_path / 'output',
    )
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert soundness(tmp_path) == (['epoch_1.pth', 'epoch_2.pth'], [])
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_2.pth')
    build('ours', tmp_path, resume=True).train()
    assert soundness(tmp_path) == (['epoch_3.pth'], [])  # the first was not forgotten


@pytest.fixture
def mounted(tmp_path) -> Iterator[Path]:
    """A disk with room for one and a half checkpoints."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', f'size={3 * MEGABYTES // 2}m', 'tmpfs', str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('to mount a small disk takes root')
    yield folder
    subprocess.run(['umount', '-l', str(folder)], check=True)


@pytest.mark.parametrize('kind', ['ours', 'mmengine'])
def test_a_full_disk(tmp_path, mounted, kind):
    folder = mounted / 'w'
    # mmengine deletes the first before there is a second, which then has room.
    keep = dict(ours=1, mmengine=2)[kind]
    process = start(
        kind,
        lambda: build(kind, folder, megabytes=MEGABYTES, max_keep_ckpts=keep).train(),
        output=tmp_path / 'output',
    )
    process.join(60)
    printed = (tmp_path / 'output').read_text()
    if kind == 'mmengine':
        assert soundness(folder) == (['epoch_1.pth'], ['epoch_2.pth'])
        return
    assert process.exitcode == 2
    assert printed.splitlines()[-1] == (
        f'error: {folder}: no space is left on the disk; make room, or name another place'
    )
    assert soundness(folder) == (['epoch_1.pth'], [])
    assert not (folder / '.saving').exists()
    assert Path(checkpoint_to_resume(str(folder))).name == 'epoch_1.pth'


@pytest.mark.long
def test_saving_takes_little_of_an_epoch(tmp_path):
    """Seconds for a checkpoint of SOLO R50's size, 370 MB, with nothing left for the disk to do."""
    runner = build('ours', tmp_path, megabytes=370)
    runner.call_hook('before_run')
    begin = time.perf_counter()
    runner.save_checkpoint(str(tmp_path), 'a.pth', save_optimizer=False, save_param_scheduler=False)
    took = time.perf_counter() - begin
    assert torch.load(tmp_path / 'a.pth', weights_only=False, mmap=True)['meta']['iter'] == 0
    # COCO's 118,000 images take an hour on 8 GPUs of 2020, at least ten minutes on those of 2024.
    assert took < 0.02 * 600, took
