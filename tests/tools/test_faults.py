"""What may go wrong around a run: each ends in one line and no traceback."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.processes import run_tool


def train(config: str, environment: dict, *arguments: object) -> subprocess.CompletedProcess:
    return run_tool(
        *('tools/train.py', config, '--data-root', str(Path(config).with_name('shapes'))),
        *map(str, arguments),
        environment=environment,
    )


@pytest.fixture(scope='module')
def config(config, shapes_root) -> str:
    """The small training; its data set stands beside it."""
    link = Path(config).with_name('shapes')
    link.symlink_to(shapes_root)
    return config


@pytest.fixture
def mounted(tmp_path) -> Iterator[Path]:
    """A disk of 4 MB, with room for one checkpoint of 2.4 MB."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('to mount a small disk takes root')
    yield folder
    subprocess.run(['umount', '-l', str(folder)], check=True)


def assert_one_line(run: subprocess.CompletedProcess, complaint: str) -> None:
    assert run.returncode == 2, run.stderr
    assert 'Traceback' not in run.stdout + run.stderr
    assert 'Exception ignored' not in run.stderr
    errors = [line for line in run.stderr.splitlines() if line.startswith('error: ')]
    assert run.stderr.splitlines()[-1:] == errors
    assert complaint in errors[0]


def test_a_full_disk(config, environment, mounted):
    run = train(config, environment, '--work-dir', mounted / 'w')
    assert_one_line(run, f'{mounted}/w: no space is left on the disk')
    assert 'has room for 1 checkpoints of about 2.4 MB, and 2 are to be there at once' in run.stdout


def test_a_disk_too_small_for_any_checkpoint(config, environment, mounted):
    (mounted / 'other').write_bytes(bytes(2 * 2**20))
    run = train(config, environment, '--work-dir', mounted / 'w')
    assert_one_line(run, 'a checkpoint takes about 2.4 MB')
    assert 'Epoch(train)' not in run.stdout


def test_a_read_only_disk(config, environment, mounted):
    subprocess.run(['mount', '-o', 'remount,ro', str(mounted)], check=True)
    run = train(config, environment, '--work-dir', mounted / 'w')
    assert_one_line(
        run, f'folder {mounted}/w cannot be written: Read-only file system; name another'
    )


def test_a_file_where_the_work_directory_should_be(config, environment, tmp_path):
    (tmp_path / 'w').write_text('')
    run = train(config, environment, '--work-dir', tmp_path / 'w')
    assert_one_line(run, f'{tmp_path}/w')


def test_a_backend_whose_package_is_not_installed(config, environment, tmp_path):
    (tmp_path / 'tensorboard.py').write_text("raise ImportError('hidden by the test')")
    run = train(
        config,
        {**environment, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{environment["PYTHONPATH"]}'},
        *('--work-dir', tmp_path / 'w'),
        *('--cfg-options', 'visualizer.vis_backends.0.type=TensorboardVisBackend'),
    )
    assert_one_line(run, 'TensorboardVisBackend needs another package')
    assert 'pip install' in run.stderr


def test_ctrl_c(config, environment, tmp_path):
    process = subprocess.Popen(
        [
            *(sys.executable, 'tools/train.py', config, '--work-dir', str(tmp_path / 'w')),
            *('--data-root', str(Path(config).with_name('shapes'))),
            *('--cfg-options', 'train_cfg.max_epochs=999', 'train_cfg.val_interval=999'),
            *('param_scheduler.0.total_steps=9999', 'default_hooks.checkpoint.interval=999'),
            'train_dataloader.num_workers=2',
        ],
        cwd=REPO,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if 'Epoch(train)' in line:
            break
    os.killpg(process.pid, signal.SIGINT)  # the shell's Ctrl-C: to all of its processes
    _, printed = process.communicate(timeout=120)
    assert process.returncode == 130
    assert printed == 'error: interrupted\n'


def test_resuming_in_a_new_work_directory_begins(config, environment, tmp_path):
    run = train(
        config, environment, '--work-dir', tmp_path / 'w', '--resume',
        *('--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=9'),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert f'Nothing to resume in {tmp_path}/w yet: training begins' in run.stdout
    assert (tmp_path / 'w' / 'epoch_1.pth').is_file()


def test_resuming_never_begins_over_what_is_there(config, environment, tmp_path):
    (tmp_path / 'epoch_7.pth').write_bytes(b'PK cut off')
    run = train(config, environment, '--work-dir', tmp_path, '--resume')
    assert_one_line(run, f'{tmp_path} holds checkpoints, but none to go on from')
    assert (tmp_path / 'epoch_7.pth').read_bytes() == b'PK cut off'
