"""Some images of a data set are broken: training goes on without them, and evaluation refuses."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile
from mmengine.config import Config

from mmdet.datasets import CocoDataset, ShapesDataset
from mmdet.datasets.image_file import read_image
from mmdet.datasets.shapes import draw_dataset
from mmdet.errors import UserError
from tests.faults.bad_images import BROKEN, ODD, spoil_each
from tests.faults.sessions import end, written
from tests.faults.training import Trained, config, train, with_validation

IMAGES = 100


@pytest.fixture(scope='module')
def sound_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'shapes'
    draw_dataset(str(root), num_train=IMAGES, num_val=4, seed=3)
    return root


@pytest.fixture
def root(sound_root, tmp_path) -> Path:
    return Path(shutil.copytree(sound_root, tmp_path / 'shapes'))


def settings(root: Path, folder: Path, *, workers: int = 0) -> Config:
    """Return settings of an epoch of ten steps; a checkpoint is saved after five."""
    cfg = config(root, folder, epochs=1, workers=workers)
    cfg.train_dataloader.batch_size = 10
    cfg.default_hooks.checkpoint.interval = 5
    cfg.default_hooks.pop('epochs')
    cfg.log_level = 'INFO'
    cfg.train_dataloader.dataset.filter_cfg = dict(filter_empty_gt=False)
    return cfg


def settings_file(root: Path, folder: Path, **dataset: object) -> str:
    """Write settings for a process of its own."""
    cfg = settings(root, folder / 'w', workers=2)
    cfg.model.neck.type = 'FPN'
    cfg.train_dataloader.dataset.update(dataset)
    return written(cfg, folder)


def log_of(folder: Path) -> str:
    return max(folder.glob('*/*.log')).read_text()


def assert_listed(log: str, paths: dict[str, Path]) -> None:
    """The broken ones stand at the log's end, each with what is wrong with it."""
    head, *lines = log.splitlines()[-len(BROKEN) - 1 :]
    assert f'{len(BROKEN)} images could not be used in this training' in head
    reasons = dict.fromkeys(('empty', 'truncated', 'html'), 'cannot be read: it is broken')
    reasons |= dict(missing='does not exist', resized='is annotated as ')
    for kind in BROKEN:
        (line,) = (line for line in lines if str(paths[kind]) in line)
        assert reasons[kind] in line


def test_5_percent_are_skipped_and_listed_and_a_resumed_training_is_the_same(root, tmp_path):
    paths = spoil_each(root, BROKEN + ODD)
    whole = train(settings(root, tmp_path / 'whole'))
    assert_listed(log_of(tmp_path / 'whole'), paths)
    again = settings(root, tmp_path / 'again', workers=2)
    resumed = train(again, resume=tmp_path / 'whole/iter_5.pth')
    assert_same_from(resumed, whole, step=5)
    # Those of the first steps are known from the checkpoint.
    assert_listed(log_of(tmp_path / 'again'), paths)


def assert_same_from(resumed: Trained, whole: Trained, *, step: int) -> None:
    assert resumed.losses == {at: loss for at, loss in whole.losses.items() if at >= step}
    assert len(resumed.losses) == 5
    for name, weight in whole.weights.items():
        assert torch.equal(resumed.weights[name], weight), name


def test_odd_pictures_are_read_as_they_were(root, sound_root):
    paths = spoil_each(root, ODD)
    for kind, path in paths.items():
        before = cv2.imread(str(sound_root / path.relative_to(root)))
        if kind == 'grey':
            before = cv2.cvtColor(cv2.cvtColor(before, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        image = read_image(str(path), size=before.shape[:2])
        assert np.abs(image.astype(int) - before).mean() < 6, kind


def test_above_the_share_it_stops_with_a_checkpoint(root, tmp_path):
    spoil_each(root, ('empty', 'truncated', 'html', 'resized'))
    cfg = settings(root, tmp_path / 'w')
    cfg.train_dataloader.dataset.max_unusable = 0.03
    with pytest.raises(UserError, match=r'4 of its 100 images.* more than 3 .*max_unusable') as why:
        train(cfg)
    (name,) = (tmp_path / 'w/last_checkpoint').read_text().splitlines()
    assert f'{name} is saved, --resume goes on from there' in str(why.value)
    done = torch.load(name, weights_only=True)['meta']['iter']
    assert f'After {done} iterations' in str(why.value)
    assert '4 images could not be used' in log_of(tmp_path / 'w')


def test_missing_ones_above_the_share_are_refused_before(root, tmp_path):
    for path in sorted((root / 'train2017').iterdir())[:11]:
        path.unlink()
    with pytest.raises(UserError, match=r'11 of 100 images do not exist'):
        train(settings(root, tmp_path / 'w'))


@pytest.mark.parametrize('kind', ['truncated', 'missing', 'resized'])
def test_validation_refuses_before_the_first_step(root, tmp_path, kind):
    (path,) = spoil_each(root, (kind,)).values()
    cfg = with_validation(settings(root, tmp_path / 'w'), root)
    cfg.custom_hooks = [dict(type='PreflightHook')]
    cfg.val_dataloader.dataset.update(
        ann_file='annotations/instances_train2017.json', data_prefix=dict(img='train2017/')
    )
    with pytest.raises(UserError, match=rf'1 of 100 images (do not|cannot) .*{path}'):
        train(cfg)
    assert not (tmp_path / 'w/epoch_1.pth').exists()


@pytest.mark.parametrize('kind', BROKEN)
def test_a_test_set_never_gives_another_image(root, kind):
    (path,) = spoil_each(root, (kind,)).values()
    common = dict(
        data_root=str(root),
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017'),
        metainfo=ShapesDataset.METAINFO,
        test_mode=True,
    )
    if kind == 'missing':
        with pytest.raises(UserError, match=f'1 of 100 images do not exist .*{path}'):
            CocoDataset(pipeline=[dict(type='LoadImageFromFile')], **common)
        return
    dataset = CocoDataset(pipeline=[dict(type='LoadImageFromFile')], **common)
    with pytest.raises(UserError, match=str(path)):
        dataset[0]


@pytest.mark.parametrize('kind', BROKEN)
def test_mmcvs_own_reading(root, kind):
    """It ends the training with a traceback, or trains with masks that lie elsewhere."""
    (path,) = spoil_each(root, (kind,)).values()
    item = dict(img_path=str(path), height=1, width=1)
    if kind == 'resized':
        assert MMCVLoadImageFromFile()(item)['img'].shape[:2] != (1, 1)
        return
    with pytest.raises((AssertionError, FileNotFoundError, cv2.error)):
        MMCVLoadImageFromFile()(item)


@pytest.mark.long
def test_the_list_of_two_processes_is_one(root, tmp_path, start):
    paths = spoil_each(root, BROKEN)
    process = start('tools/train_dist.py', settings_file(root, tmp_path), 2)
    text, _ = end(process)
    assert process.returncode == 0, text
    assert_listed(log_of(tmp_path / 'w'), paths)
    assert text.count('images could not be used in this training') == 1


@pytest.mark.long
@pytest.mark.parametrize('processes', [1, 2])
def test_stopping_above_the_share_is_one_line(root, tmp_path, start, processes):
    spoil_each(root, ('empty', 'truncated', 'html', 'resized'))
    path = settings_file(root, tmp_path, max_unusable=0.02)
    tool = ('train_dist.py', 2) if processes == 2 else ('train.py',)
    process = start(f'tools/{tool[0]}', path, *tool[1:])
    text, _ = end(process, tracebacks=processes == 2)
    last = text.splitlines()[-1]
    assert process.returncode == 2
    assert 'error: ' in last and 'more than 2 (max_unusable of the data set) are too many' in last
    assert (tmp_path / 'w/last_checkpoint').is_file()
