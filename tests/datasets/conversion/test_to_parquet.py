import sys

import pytest

from mmdet.datasets import ParquetDataset
from mmdet.datasets.conversion.to_parquet import write_parquet_parts
from mmdet.errors import UserError

from .mixed import assert_same, masks, read, write_mixed


def test_masks_and_crowds_are_kept_and_other_fields_counted(tmp_path):
    pytest.importorskip('pyarrow', reason='pyarrow is not installed')
    collection = read(write_mixed(tmp_path / 'in', names=('x/a.png', 'b.png')))
    (tmp_path / 'out').mkdir()
    said = write_parquet_parts(collection, tmp_path / 'out', link=True).summary()
    assert 'fields of annotations that Parquet has no column for (first: x/a.png: note)' in said
    assert '2 fields of images that Parquet has no column for (first: x/a.png: license)' in said
    again = read(tmp_path / 'out')  # recognised by its files
    assert_same(masks(collection), masks(again))
    assert again.classes == collection.classes
    for one, other in zip(collection.parts['train'], again.parts['train'], strict=True):
        for key in ('bbox', 'area', 'iscrowd'):
            assert [a[key] for a in one.annotations] == [a[key] for a in other.annotations]
        assert one.image.items() >= other.image.items()


def test_ids_that_stand_twice_are_numbered_anew(tmp_path):
    pytest.importorskip('pyarrow', reason='pyarrow is not installed')
    collection = read(write_mixed(tmp_path / 'in'))
    collection.parts['train'] *= 2
    (tmp_path / 'out').mkdir()
    write_parquet_parts(collection, tmp_path / 'out', link=False)
    dataset = ParquetDataset(
        data_root=str(tmp_path / 'out'),
        ann_file='annotations/train',
        data_prefix=dict(img='train'),
    )
    assert [dataset.get_data_info(index)['img_id'] for index in range(4)] == [1, 2, 3, 4]


def test_a_missing_pyarrow_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    for name in ('conversion.write_parquet', 'formats.arrow', 'formats.parquet_shards'):
        monkeypatch.delitem(sys.modules, f'mmdet.datasets.{name}', raising=False)
    collection = read(write_mixed(tmp_path / 'in'))
    (tmp_path / 'out').mkdir()
    with pytest.raises(UserError, match=r"not installed: pip install 'mmdet-solo\[parquet\]'"):
        write_parquet_parts(collection, tmp_path / 'out', link=False)
    with pytest.raises(UserError, match=r"not installed: pip install 'mmdet-solo\[parquet\]'"):
        ParquetDataset(ann_file='x')
