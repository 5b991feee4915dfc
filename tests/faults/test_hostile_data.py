"""Annotation files from anywhere: they run nothing, and read and write nothing outside."""

import json
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset

from mmdet.datasets import CocoDataset
from mmdet.engine.hooks.visualization_hook import common_folder, picture_name
from mmdet.engine.preflight import check_files
from mmdet.errors import UserError

CLASSES = dict(classes=('nut',))


class TouchCanary:
    """Unpickling it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return os.system, (f'touch {self.canary}',)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))


@pytest.fixture
def dataset(tmp_path):
    """Write an annotation file that names one image, and return a function that opens it."""
    for place in (
        'root/train/x/a.png',
        'root/train/a.png',
        'root/val/a.png',
        'elsewhere/a.png',
        'rooted/a.png',
    ):
        picture(tmp_path / place)

    def write_and_open(file_name: str, **settings: object) -> CocoDataset:
        content = dict(
            images=[dict(id=1, file_name=file_name, width=8, height=8)],
            categories=[dict(id=1, name='nut')],
        )
        (tmp_path / 'root/a.json').write_text(json.dumps(content))
        known = dict(data_root=str(tmp_path / 'root'), ann_file='a.json', metainfo=CLASSES)
        prefix = dict(data_prefix=dict(img='train'))
        return CocoDataset(**(known | prefix | dict(test_mode=True) | settings))

    return write_and_open


OUTSIDE = ['../../elsewhere/a.png', '../../rooted/a.png', 'x/../../../elsewhere/a.png', 'ABSOLUTE']


@pytest.mark.parametrize('name', OUTSIDE)
def test_names_that_lead_out_of_the_root_are_refused(dataset, tmp_path, name):
    name = name.replace('ABSOLUTE', f'{tmp_path}/elsewhere/a.png')
    with pytest.raises(UserError, match=r'a\.png\) is outside of .*allow_outside_root=True'):
        dataset(name)
    opened = dataset(name, allow_outside_root=True)
    assert Path(opened[0]['img_path']).is_file()


@pytest.mark.parametrize('name', ['a.png', '../val/a.png', 'x/../a.png', 'ABSOLUTE'])
def test_names_within_the_root_are_read(dataset, tmp_path, name):
    opened = dataset(name.replace('ABSOLUTE', f'{tmp_path}/root/val/a.png'))
    assert len(opened) == 1


def test_a_prefix_may_be_elsewhere(dataset, tmp_path):
    """That is the config's word, not the file's."""
    prefix = dict(img=str(tmp_path / 'elsewhere'))
    assert len(dataset('a.png', data_prefix=prefix)) == 1
    assert len(dataset('./a.png', data_prefix=prefix, data_root=None, ann_file=str(tmp_path / 'root/a.json'))) == 1  # fmt: skip  # noqa: E501
    with pytest.raises(UserError, match='outside of'):
        dataset('../rooted/a.png', data_prefix=prefix)


@pytest.mark.parametrize('name', OUTSIDE)
def test_pictures_stay_in_their_folder(dataset, tmp_path, name):
    """Even of images from elsewhere."""
    opened = dataset(
        name.replace('ABSOLUTE', f'{tmp_path}/elsewhere/a.png'), allow_outside_root=True
    )
    show_dir = tmp_path / 'show'
    for folder in (common_folder(opened), os.sep):
        drawn = show_dir / picture_name(opened.get_data_info(0)['img_path'], folder)
        assert Path(os.path.abspath(drawn)).is_relative_to(show_dir)


@pytest.fixture
def pickled(tmp_path) -> Path:
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(TouchCanary(tmp_path / 'canary')))
    return path


@pytest.mark.parametrize('kind', ['CocoDataset', 'mmengine.dataset.BaseDataset'])
def test_pickled_annotations_are_refused(tmp_path, pickled, kind):
    dataset = dict(type=kind, ann_file=str(pickled))
    cfg = Config(dict(train_dataloader=dict(dataset=dataset), work_dir=str(tmp_path / 'w')))
    with pytest.raises(UserError, match=r'a\.pkl is a pickle.*convert it to JSON'):
        check_files(cfg, ('train',))
    with pytest.raises(UserError, match=r'a\.pkl is not JSON'):
        CocoDataset(str(pickled))
    assert not (tmp_path / 'canary').exists()


def test_mmengine_runs_pickled_annotations(tmp_path, pickled):
    with pytest.raises(TypeError, match='should be a dict'):
        BaseDataset(str(pickled))
    assert (tmp_path / 'canary').exists()
