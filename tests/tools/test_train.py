from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from tests.processes import run_tool, torchrun


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)['state_dict']


def test_what_a_run_leaves(trained):
    assert (trained / 'last_checkpoint').read_text() == str(trained / 'epoch_2.pth')
    assert (trained / 'curves.png').read_bytes().startswith(b'\x89PNG')
    assert (trained / 'tiny_shapes.py').is_file()
    (log,) = trained.glob('*/*.log')
    text = log.read_text()
    for part in ('eta:', 'loss_mask:', 'loss_cls:', 'segm_mAP', 'Epoch(val) [2]'):
        assert part in text
    printed = (trained / 'stdout').read_text()
    assert 'Warning: ' not in printed
    assert 'Traceback' not in printed


def test_checkpoints_load_without_unpickling_code(trained):
    checkpoint = torch.load(trained / 'epoch_1.pth', weights_only=True)
    assert {'meta', 'state_dict', 'optimizer', 'param_schedulers', 'message_hub'} <= set(checkpoint)


def test_a_resumed_run_ends_where_an_uninterrupted_one_does_as_nothing_is_random(
    trained, config, shapes_root, environment, tmp_path
):
    run = run_tool(
        *('tools/train.py', config, '--work-dir', str(tmp_path)),
        *('--data-root', str(shapes_root), '--resume', str(trained / 'epoch_1.pth')),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    assert 'resumed epoch: 1, iter: 3' in run.stdout + run.stderr
    expected, resumed = weights(trained / 'epoch_2.pth'), weights(tmp_path / 'epoch_2.pth')
    assert expected.keys() == resumed.keys()
    for name in expected:
        assert torch.equal(expected[name], resumed[name]), name
    history = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['message_hub']
    assert len(history['log_scalars']['train/loss']['values']) == 6


def train(
    config: str, root: Path, folder: Path, *, flip: float, resume: Path | None = None
) -> Path:
    """Train two epochs with random flips, or the second alone, and return the last checkpoint."""
    cfg = Config.fromfile(config)
    cfg.train_dataloader.dataset.data_root = str(root)
    cfg.train_dataloader.dataset.pipeline[-1:-1] = [
        dict(type='Resize', scale=(96, 96), keep_ratio=True),
        dict(type='RandomFlip', prob=flip),
    ]
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.custom_hooks = []
    cfg.work_dir = cfg.experiment_name = cfg.visualizer.name = str(folder)
    cfg.load_from, cfg.resume = resume and str(resume), resume is not None
    Runner.from_cfg(cfg).train()
    return folder / 'epoch_2.pth'


@pytest.mark.parametrize('flip', [0.0, 0.5])
def test_a_resumed_run_sees_the_random_numbers_that_an_uninterrupted_one_does(
    config, shapes_root, tmp_path, flip
):
    whole = train(config, shapes_root, tmp_path / 'whole', flip=flip)
    half_way = whole.with_name('epoch_1.pth')
    resumed = train(config, shapes_root, tmp_path / 'resumed', flip=flip, resume=half_way)
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)


def test_resuming_from_another_models_checkpoint_is_refused(
    trained, config, shapes_root, environment, tmp_path
):
    run = run_tool(
        *('tools/train.py', config, '--work-dir', str(tmp_path)),
        *('--data-root', str(shapes_root), '--resume', str(trained / 'epoch_1.pth')),
        *('--cfg-options', 'model.mask_head.feat_channels=32'),
        environment=environment,
    )
    assert run.returncode == 2
    last = run.stderr.splitlines()[-1]
    assert last.startswith('error: ') and 'does not fit the model' in last


def test_two_processes_train(config, shapes_root, environment, tmp_path):
    run = torchrun(
        *('tools/train.py', config, '--work-dir', str(tmp_path), '--data-root', str(shapes_root)),
        *('--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=2'),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / 'epoch_1.pth').is_file()


def test_broken_pictures_alone_end_training_with_the_name_of_one(
    config, environment, tmp_path, shapes_root
):
    root = tmp_path / 'shapes'
    (root / 'train2017').mkdir(parents=True)
    for name in ('annotations', 'val2017'):
        (root / name).symlink_to(shapes_root / name)
    for picture in (shapes_root / 'train2017').iterdir():
        (root / 'train2017' / picture.name).write_bytes(b'')
    run = run_tool(
        *('tools/train.py', config, '--work-dir', str(tmp_path / 'w'), '--data-root', str(root)),
        *('--cfg-options', 'train_dataloader.num_workers=1'),
        environment=environment,
    )
    assert run.returncode == 2
    last = run.stderr.splitlines()[-1]
    assert last.startswith('error: ') and f'{root}/train2017/' in last
    assert 'cannot be read' in last


def test_what_would_fail_after_an_epoch_fails_before_the_first(
    config, environment, shapes_root, tmp_path
):
    run = run_tool(
        *('tools/train.py', config, '--work-dir', str(tmp_path / 'w')),
        *('--data-root', str(shapes_root), '--cfg-options', 'val_evaluator.ann_file=none.json'),
        'model.test_cfg.kernel=gausian',
        environment=environment,
    )
    assert run.returncode == 2
    assert "no kernel='gausian'" in run.stderr.splitlines()[-1]
    run = run_tool(
        *('tools/train.py', config, '--work-dir', str(tmp_path / 'w')),
        *('--data-root', str(shapes_root), '--cfg-options', 'val_evaluator.ann_file=none.json'),
        environment=environment,
    )
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1] == 'error: annotation file none.json does not exist'
    assert not list((tmp_path / 'w').iterdir())


def test_main_says_where_the_run_went(config, environment, shapes_root, tmp_path):
    """Who calls it in the same process learns the work directory, which the config names."""
    mine = tmp_path / 'mine.py'
    mine.write_text(f"_base_ = '{config}'\nwork_dir = '{tmp_path}/named'\n")
    code = (
        'import sys; from tools.train import main; '
        'runner = main(sys.argv[1:]); print("went to", runner.work_dir)'
    )
    options = ('--data-root', str(shapes_root), '--cfg-options', 'train_cfg.max_epochs=1')
    run = run_tool('-c', code, str(mine), *options, environment=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == f'went to {tmp_path}/named'
    assert (tmp_path / 'named/last_checkpoint').read_text() == f'{tmp_path}/named/epoch_1.pth'
