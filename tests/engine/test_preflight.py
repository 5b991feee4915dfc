import copy
import os
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.fileio import BaseStorageBackend, register_backend

from mmdet.engine.preflight import check_files
from mmdet.errors import UserError


@pytest.fixture
def cfg(shapes_root, tmp_path) -> Config:
    """A config whose files are all there."""

    def dataset(split: str) -> dict:
        return dict(
            type='CocoDataset',
            data_root=str(shapes_root),
            ann_file=f'annotations/instances_{split}2017.json',
            data_prefix=dict(img=f'{split}2017/'),
        )

    (tmp_path / 'weights.pth').touch()
    ann_file = str(shapes_root / 'annotations/instances_val2017.json')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
    return Config(
        dict(
            model=dict(backbone=dict(init_cfg=[init_cfg])),
            train_dataloader=dict(dataset=dict(type='RepeatDataset', dataset=dataset('train'))),
            val_dataloader=dict(dataset=dataset('val')),
            val_evaluator=[dict(type='CocoMetric', ann_file=ann_file)],
            test_dataloader=dict(dataset=dict(dataset('val'), ann_file='none.json')),
            test_evaluator=dict(type='CocoMetric', ann_file='none.json'),
            load_from=str(tmp_path / 'weights.pth'),
            work_dir=str(tmp_path / 'new/w'),
        )
    )


def complaint_of(cfg: Config, *stages: str, folders: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(UserError) as caught:
        check_files(cfg, stages, folders=folders)
    return str(caught.value).splitlines()


def test_all_is_there(cfg, tmp_path):
    check_files(cfg, ('train', 'val'))
    assert list((tmp_path / 'new/w').iterdir()) == []


def test_only_the_stages_of_the_run_count(cfg):
    lines = complaint_of(cfg, 'test')
    assert lines[-1].startswith('2 files and folders are amiss; the first: annotation file ')
    assert lines[-1].endswith('none.json does not exist')


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [
        (
            lambda cfg: cfg.train_dataloader.dataset.dataset.update(ann_file='a.json'),
            'a.json does not exist',
        ),
        (
            lambda cfg: cfg.val_dataloader.dataset.data_prefix.update(img='images'),
            'images does not exist',
        ),
        (lambda cfg: cfg.val_dataloader.dataset.update(ann_file='val2017'), 'is a folder'),
        (lambda cfg: cfg.val_evaluator[0].update(ann_file='v.json'), 'v.json does not exist'),
        (lambda cfg: cfg.update(load_from='w.pth'), 'checkpoint w.pth does not exist'),
        (
            lambda cfg: cfg.model.backbone.init_cfg[0].update(checkpoint='b.pth'),
            'checkpoint b.pth does not exist',
        ),
    ],
)
def test_what_is_missing_is_named(cfg, change, complaint):
    change(cfg)
    assert complaint in complaint_of(cfg, 'train', 'val')[-1]


def test_all_comes_at_once(cfg, tmp_path):
    cfg.load_from = 'w.pth'
    cfg.val_dataloader.dataset.ann_file = 'a.json'
    (tmp_path / 'file').touch()
    lines = complaint_of(cfg, 'train', 'val', folders=(str(tmp_path / 'file/out'),))
    assert [line.rpartition(' ')[0] for line in lines[-4:-1]] == [
        f'annotation file {cfg.val_dataloader.dataset.data_root}/a.json does not',
        'checkpoint w.pth does not',
        f'folder {tmp_path}/file/out cannot be written: Not a directory; name another',
    ]
    assert lines[-1].startswith('3 files and folders')
    assert lines[0].startswith("a data set in COCO's format is expected")


def test_annotations_in_parquet_are_a_folder(cfg, tmp_path):
    dataset = cfg.val_dataloader.dataset
    dataset.type = 'ParquetDataset'
    assert complaint_of(cfg, 'val')[-1].endswith('instances_val2017.json is a file')
    dataset.ann_file = 'parquet'
    assert 'annotation folder ' in (said := complaint_of(cfg, 'val')[-1])
    assert said.endswith('/parquet does not exist')
    dataset.ann_file = str(tmp_path)
    check_files(cfg, ('val',))


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write and read everything')
def test_permissions(cfg, tmp_path):
    locked = tmp_path / 'locked'
    locked.mkdir(mode=0o500)
    cfg.work_dir = str(locked / 'w')
    assert 'cannot be written: Permission denied' in complaint_of(cfg, 'train')[-1]


def test_what_is_elsewhere_is_not_looked_for(cfg):
    cfg.load_from = 'https://nowhere.invalid/x.pth'
    cfg.val_evaluator[0].ann_file = 's3://bucket/x.json'
    cfg.train_dataloader.dataset = dict(type='Other', ann_file='x.json')
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='torchvision://resnet50')
    check_files(cfg, ('train', 'val'))


def test_a_data_set_that_draws_itself_need_not_be_there(cfg, tmp_path):
    root = str(tmp_path / 'shapes')
    drawn = dict(type='ShapesDataset', data_root=root, ann_file='a.json')
    cfg.train_dataloader = dict(dataset=copy.deepcopy(drawn))
    cfg.val_dataloader = dict(dataset=copy.deepcopy(drawn))
    cfg.val_evaluator = dict(type='CocoMetric', ann_file=f'{root}/a.json')
    check_files(cfg, ('train', 'val'))
    (tmp_path / 'shapes').mkdir()
    (tmp_path / 'shapes/b.json').touch()
    assert 'a.json does not exist' in complaint_of(cfg, 'train', 'val')[-1]


def test_what_two_need_is_named_once(cfg):
    cfg.val_dataloader.dataset.ann_file = cfg.val_evaluator[0].ann_file = '/none/a.json'
    assert complaint_of(cfg, 'val')[-1] == 'annotation file /none/a.json does not exist'


def test_what_may_not_be_read_is_named(cfg, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda path, mode: not str(path).endswith('weights.pth'))
    assert complaint_of(cfg, 'train')[-1].endswith('weights.pth cannot be read: permission denied')


class Elsewhere(BaseStorageBackend):
    """Of a user's own: under paths that look local."""

    def get(self, filepath: str) -> bytes:
        raise NotImplementedError

    def get_text(self, filepath: str) -> str:
        raise NotImplementedError


def test_what_another_backend_reads_is_not_looked_for(cfg):
    register_backend('elsewhere', Elsewhere, force=True)
    backend = dict(backend='elsewhere')
    dataset = cfg.val_dataloader.dataset
    dataset |= dict(ann_file='/none/a.json', data_prefix=dict(img='/none/images'))
    cfg.val_evaluator[0] |= dict(ann_file='/none/a.json', backend_args=backend)
    dataset.backend_args = backend
    check_files(cfg, ('val',))
    # Images are read with the arguments of what loads them.
    dataset.pipeline = [dict(type='LoadImageFromFile')]
    assert complaint_of(cfg, 'val')[-1] == 'image folder /none/images does not exist'
    dataset.backend_args = None
    dataset.ann_file = str(Path(dataset.data_root, 'annotations/instances_val2017.json'))
    for name in ('backend_args', 'file_client_args'):
        dataset.pipeline = [dict(type='LoadImageFromFile', **{name: backend})]
        check_files(cfg, ('val',))


def test_a_metric_may_say_that_it_has_no_annotation_file(cfg):
    cfg.val_evaluator[0].ann_file = None
    check_files(cfg, ('train', 'val'))
