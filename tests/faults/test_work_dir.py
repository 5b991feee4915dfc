"""Two trainings in one work directory, one that dies there, and one whose directory vanishes."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet.engine.only_run import only_run_in
from mmdet.errors import UserError
from tests.conftest import REPO
from tests.faults.small_training import build, start
from tests.processes import run_tool, torchrun

SHAPES = str(REPO / 'configs/solo/solo_r18_fpn_shapes-cpu.py')
ENDLESS = (
    *('--cfg-options', 'train_cfg.max_epochs=999', 'train_cfg.val_interval=999'),
    *('default_hooks.checkpoint.interval=1', 'train_dataloader.num_workers=1'),
    *('default_hooks.logger.interval=1', 'param_scheduler.0.total_steps=999999'),
)


def arguments(work_dir: Path, shapes_root: Path) -> list[str]:
    return [
        *('tools/train.py', SHAPES, '--work-dir', str(work_dir), '--data-root', str(shapes_root)),
        *ENDLESS,
    ]


@pytest.fixture
def running(tmp_path, environment, shapes_root) -> Iterator[subprocess.Popen]:
    """A training in `w`, after its first step."""
    process = subprocess.Popen(
        [sys.executable, *arguments(tmp_path / 'w', shapes_root)],
        cwd=REPO,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert any('Epoch(train)' in line for line in process.stdout)
    yield process
    process.kill()
    process.communicate()


def mixed(folder: Path) -> tuple[set[Path], dict[Path, str]]:
    """What two trainings would mix up: folders of logs, and configs."""
    configs = {path: path.read_text() for path in folder.rglob('*.py')}
    return {path for path in folder.glob('2*') if path.is_dir()}, configs


def test_the_second_training_refuses(running, tmp_path, environment, shapes_root):
    work_dir = tmp_path / 'w'
    before = mixed(work_dir)
    seed = ['randomness.seed=7']
    for extra in ([], ['--resume']):
        run = run_tool(*arguments(work_dir, shapes_root), *seed, *extra, environment=environment)
        assert run.returncode == 2, run.stderr
        assert run.stderr.splitlines()[-1].startswith(
            f'error: {work_dir} is in use by another training (process {running.pid} on '
        )
    assert mixed(work_dir) == before
    run = torchrun(*arguments(work_dir, shapes_root), environment=environment)
    assert run.returncode != 0
    assert 'is in use by another training' in run.stderr
    # The end of it, however it comes, is enough: its worker is still there.
    running.send_signal(signal.SIGKILL)
    running.wait()
    enter(work_dir)


def enter(folder: Path) -> None:
    with only_run_in(str(folder)):
        pass


def test_a_block_within_a_block(tmp_path):
    with only_run_in(str(tmp_path)):
        with only_run_in(str(tmp_path)):
            pass
        process = start('ours', lambda: enter(tmp_path), output=tmp_path / 'output')
        process.join(60)
        assert process.exitcode == 2  # a forked process has not the lock
    enter(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'w').write_text('')
    with pytest.raises(UserError, match=r'folder .*/w cannot be written: .*name another place'):
        enter(tmp_path / 'w')


class Vanish(Hook):
    """Take the work directory away after the first epoch."""

    priority = 'LOWEST'

    def after_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == 0:
            shutil.rmtree(runner.work_dir)


def test_a_work_directory_that_vanishes(tmp_path):
    folder = tmp_path / 'w'
    process = start(
        'ours',
        lambda: build('ours', folder, custom_hooks=(Vanish(),)).train(),
        output=tmp_path / 'output',
    )
    process.join(60)
    assert process.exitcode == 2
    assert (tmp_path / 'output').read_text().splitlines()[-1] == (
        f'error: {folder} is gone: it was deleted, or its disk was taken away. If it comes back, '
        '--resume goes on from what is in it'
    )
    assert not folder.exists()


def test_mmengine_makes_it_anew(tmp_path):
    """On whatever disk is there now, and goes on without what was saved."""
    folder = tmp_path / 'w'
    process = start(
        'mmengine',
        lambda: build('mmengine', folder, custom_hooks=(Vanish(),)).train(),
        output=tmp_path / 'output',
    )
    process.join(60)
    assert folder.exists() or process.exitcode == 1
