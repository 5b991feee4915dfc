from functools import partial

import pytest

from mmdet.datasets import ShapesDataset, shapes
from mmdet.datasets.shapes import CLASSES
from mmdet.errors import UserError


@pytest.mark.parametrize('exists', [False, True])
def test_draws_itself_once(exists, tmp_path, monkeypatch, capsys):
    draw = partial(shapes.draw_dataset, num_train=2, num_val=1)
    monkeypatch.setattr(shapes, 'draw_dataset', draw)
    root = tmp_path / 'shapes'
    if exists:  # `--data-root` takes an existing folder only
        root.mkdir()

    def open_split(split: str) -> ShapesDataset:
        return ShapesDataset(
            data_root=str(root),
            ann_file=f'annotations/instances_{split}2017.json',
            data_prefix=dict(img=f'{split}2017/'),
            pipeline=[],
        )

    train = open_split('train')
    assert len(train) == 2
    assert train.metainfo['classes'] == CLASSES
    assert 'drawing' in capsys.readouterr().out
    assert len(open_split('val')) == 1
    assert 'drawing' not in capsys.readouterr().out


def test_a_file_in_its_place_is_named(tmp_path):
    root = tmp_path / 'shapes'
    root.touch()
    with pytest.raises(UserError, match=f'{root}/annotations'):
        ShapesDataset(data_root=str(root), ann_file='annotations/instances_train2017.json')
