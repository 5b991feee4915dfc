"""The line that a training ends with."""

import shlex
import sys

import pytest
from mmengine.config import Config

from mmdet.engine.quick_start.use import command_for


@pytest.fixture
def cfg(tmp_path) -> Config:
    (tmp_path / 'my data/val').mkdir(parents=True)
    for name in ('labels.txt', 'b.jpg', 'a.JPG'):
        (tmp_path / 'my data/val' / name).touch()
    dataset = dict(
        type='CocoDataset', data_root=f'{tmp_path}/my data/', data_prefix=dict(img='val/')
    )
    wrapped = dict(type='RepeatDataset', times=2, dataset=dataset)
    return Config(dict(test_dataloader=None, val_dataloader=dict(dataset=wrapped)))


def test_it_names_what_is_there(cfg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = command_for(cfg, tmp_path / 'epoch_1.pth', tmp_path / 'mine.py')
    assert shlex.split(command) == [
        *(sys.executable, '-m', 'mmdet', 'predict'),
        *(f'{tmp_path}/my data/val/a.JPG', f'{tmp_path}/epoch_1.pth'),
    ]


def test_a_config_with_code_of_its_own_is_named(cfg, tmp_path):
    cfg.custom_imports = dict(imports=['mine'])
    command = command_for(cfg, tmp_path / 'epoch_1.pth', tmp_path / 'mine.py')
    assert shlex.split(command)[-2:] == ['--config', f'{tmp_path}/mine.py']


@pytest.mark.parametrize('root', ['/nowhere/', 's3://bucket/'])
def test_no_picture_is_here(root):
    dataset = dict(type='CocoDataset', data_root=root, data_prefix=dict(img='val/'))
    cfg = Config(dict(test_dataloader=dict(dataset=dataset)))
    assert command_for(cfg, 'epoch_1.pth', 'mine.py').endswith(' predict PICTURE epoch_1.pth')


def test_pictures_in_sub_folders(cfg, tmp_path):
    val = tmp_path / 'my data/val'
    (val / 'b').mkdir()
    (val / 'b.jpg').rename(val / 'b/b.jpg')
    (val / 'a.JPG').unlink()
    command = command_for(cfg, tmp_path / 'epoch_1.pth', tmp_path / 'mine.py')
    assert shlex.split(command)[-2] == f'{val}/b/b.jpg'
