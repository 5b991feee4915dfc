"""tools/quick_start.py, as train.sh starts it: a training, then pictures."""

import shlex
import subprocess

from mmengine.config import Config

from tests.processes import run_tool


def test_pictures_lie_in_the_work_directory_that_the_config_names(
    config, environment, shapes_root, tmp_path
):
    mine = tmp_path / 'mine.py'
    mine.write_text(f"_base_ = '{config}'\nwork_dir = '{tmp_path}/my results'\n")
    options = ('--data-root', str(shapes_root), '--cfg-options', 'train_cfg.max_epochs=1')
    run = run_tool('tools/quick_start.py', str(mine), *options, environment=environment)
    assert run.returncode == 0, run.stderr
    work_dir = tmp_path / 'my results'
    assert {path.name for path in (work_dir / 'vis').iterdir()} == {
        path.name for path in (shapes_root / 'val2017').iterdir()
    }
    assert (work_dir / 'test/metrics.json').is_file()
    for name in ('epoch_1.pth', 'curves.png', 'vis', 'mine.py'):
        assert f' {work_dir / name}\n' in run.stdout
    # The last line runs it on a picture, wherever one is.
    told, command = run.stdout.splitlines()[-2:]
    assert told == 'To run it on a picture:'
    used = subprocess.run(
        shlex.split(command), cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert used.returncode == 0, used.stderr
    assert used.stdout.startswith('1 picture, ')
    (picture,) = (tmp_path / 'outputs/vis').iterdir()
    assert (shapes_root / 'val2017' / picture.name).is_file()
    # The test leaves the training's own files alone: its visualizer is another.
    (settings,) = work_dir.glob('2*/vis_data/config.py')
    assert Config.fromfile(settings).load_from is None


def test_a_mistake_is_one_line(environment):
    run = run_tool('tools/quick_start.py', 'configs/none.py', environment=environment)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith('error: no such config file: configs/none.py')
    assert 'Traceback' not in run.stderr


def test_help_is_that_of_the_training(config, environment):
    run = run_tool('tools/quick_start.py', config, '--help', environment=environment)
    assert run.returncode == 0
    assert '--auto-scale-lr' in run.stdout


def test_what_is_drawn_at_the_end_is_looked_for_at_the_beginning(
    config, environment, shapes_root, tmp_path
):
    run = run_tool(
        *('tools/quick_start.py', config, '--data-root', str(shapes_root)),
        *('--work-dir', str(tmp_path / 'w')),
        *('--cfg-options', 'test_dataloader.dataset.ann_file=none.json'),
        environment=environment,
    )
    assert run.returncode == 2
    assert f'{shapes_root}/none.json does not exist' in run.stderr.splitlines()[-1]
    assert 'Epoch(train)' not in run.stdout
