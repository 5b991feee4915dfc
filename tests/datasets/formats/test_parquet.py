"""The layout of `parquet_layout.py`, as `write_parquet` writes it and as others may break it."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from mmdet.datasets import CocoDataset, ParquetDataset
from mmdet.datasets.coco_file import read_coco_file
from mmdet.datasets.unusable_image import unusable_images_noted
from mmdet.errors import UserError
from mmdet.structures.segmentation import as_rle

from .scene import CLASSES, SCENE, assert_is_scene, write_pictures

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_mask=True),
    dict(type='PackDetInputs'),
]

pa = pytest.importorskip('pyarrow', reason='pyarrow is not installed')
pq = pytest.importorskip('pyarrow.parquet', reason='pyarrow is not installed')


@pytest.fixture(scope='module', autouse=True)
def write_parquet():
    from mmdet.datasets.conversion.write_parquet import write_parquet

    return write_parquet


def annotation(number: int, image_id: int, category_id: int, x: float, **changes: object) -> dict:
    polygon = [x, 5, x + 20, 5, x + 20, 30, x, 30]
    box = [x, 5, 20, 25]
    fields = dict(id=number, image_id=image_id, category_id=category_id, bbox=box, area=500)
    return fields | dict(iscrowd=0, segmentation=[polygon]) | changes


def varied(number: int) -> dict:
    """Images with many objects, with none, with a crowd alone, of a class alone; some small."""
    images, annotations = [], []
    for index in range(number):
        side = 20 if index % 7 == 3 else 64
        images.append(dict(id=index + 5, file_name=f'{index}.jpg', height=side, width=80))
        ids = iter(range(100 * index, 100 * index + 100))
        first = images[-1]['id'], 1 + index % 3
        if index % 5 == 0:
            continue
        if index % 5 == 1:
            rle = as_rle([[2, 2, 30, 2, 30, 15]], side, 80)
            plain = dict(rle, counts=rle['counts'].decode())
            crowd = dict(iscrowd=1, segmentation=plain, bbox=[2, 2, 28, 13], area=180)
            annotations.append(annotation(next(ids), *first, 2) | crowd)
        elif index % 5 == 2:
            annotations.append(annotation(next(ids), *first, 10, bbox=[10, 5, 0.5, 20]))
            annotations.append(annotation(next(ids), *first, 10, ignore=1))
        else:
            annotations += [annotation(next(ids), *first, x) for x in (1.25, 30, 55.5)]
    categories = [dict(id=i, name=name) for i, name in ((3, 'dog'), (1, 'cat'), (2, 'old boat'))]
    return dict(images=images, annotations=annotations, categories=categories)


@pytest.fixture(scope='module')
def thousand(tmp_path_factory, write_parquet) -> Path:
    """A folder with 1,050 images as `a.json` and as `parquet/`."""
    root = tmp_path_factory.mktemp('thousand')
    (root / 'a.json').write_text(json.dumps(varied(1050)))
    coco = read_coco_file(str(root / 'a.json'))
    assert write_parquet(root / 'parquet', coco.categories, coco.by_image()) == 1050
    return root


@pytest.fixture
def scene(tmp_path, write_parquet) -> Path:
    write_pictures(tmp_path / 'images')
    annotations = [
        [
            annotation(0, number, thing.label, 0)
            | dict(segmentation=[thing.outline.ravel().tolist()])
            | dict(bbox=[*thing.outline.min(0).tolist(), *np.ptp(thing.outline, 0).tolist()])
            for thing in picture.things
        ]
        for number, picture in enumerate(SCENE)
    ]
    images = [
        dict(id=number, file_name=f'{each.name}.png', height=each.height, width=each.width)
        for number, each in enumerate(SCENE)
    ]
    categories = [dict(id=number, name=name) for number, name in enumerate(CLASSES)]
    write_parquet(tmp_path / 'parquet', categories, zip(images, annotations, strict=True))
    return tmp_path


def opened(root: Path, **changes: object) -> ParquetDataset:
    prefix = dict(img='images')
    fields = dict(data_root=str(root), ann_file='parquet', data_prefix=prefix)
    return ParquetDataset(**fields | changes)


def as_compared(dataset: CocoDataset) -> Iterator[dict]:
    for index in range(len(dataset)):
        item = dataset.get_data_info(index)
        for instance in item['instances']:
            instance['bbox'] = [float(value) for value in instance['bbox']]
            if isinstance(instance['mask'], list):
                instance['mask'] = [[float(each) for each in part] for part in instance['mask']]
        yield item


def test_it_is_the_scene(scene):
    assert_is_scene(opened(scene, pipeline=PIPELINE))


@pytest.mark.parametrize('classes', [None, ('dog', 'cat')])
@pytest.mark.parametrize('filter_cfg', [None, dict(filter_empty_gt=True, min_size=32)])
def test_a_thousand_items_are_those_of_the_coco_file(thousand, classes, filter_cfg):
    changes = dict(filter_cfg=filter_cfg, data_prefix=dict(img=''))
    names = dict(classes=classes or ('dog', 'cat', 'old boat'))
    coco = CocoDataset(data_root=str(thousand), ann_file='a.json', metainfo=names, **changes)
    ours = opened(thousand, metainfo=classes and names, **changes)
    assert ours.metainfo['classes'] == names['classes']
    assert len(ours) == len(coco) < (1051 if filter_cfg is None else 400)
    assert [*as_compared(ours)] == [*as_compared(coco)]


def test_shards_and_row_groups_are_small(thousand):
    paths = sorted((thousand / 'parquet').iterdir())
    assert [path.name for path in paths] == ['00000-of-00002.parquet', '00001-of-00002.parquet']
    groups = [pq.read_metadata(path).row_group(0).num_rows for path in paths]
    assert groups == [64, 26]


def test_nothing_is_kept_of_what_is_read(thousand, monkeypatch):
    dataset = opened(thousand)
    assert dataset.data_list.nbytes == 4 * 1050
    before = pa.total_allocated_bytes()
    for index in range(0, 1050, 50):
        dataset.get_data_info(index)
    assert pa.total_allocated_bytes() == before
    state = len(pickle.dumps(dataset))
    assert state < 4 * 1050 + 4000


def test_the_writer_holds_no_more_than_a_row_group(tmp_path, write_parquet):
    alive: set[int] = set()
    most = 0

    class Image(dict):
        def __del__(self) -> None:
            alive.discard(id(self))

    def images(number: int) -> Iterator[tuple[dict, list[dict]]]:
        nonlocal most
        for index in range(number):
            image = Image(id=index, file_name=f'{index}.jpg', height=64, width=80)
            alive.add(id(image))
            most = max(most, len(alive))
            yield image, [annotation(0, index, 1, 5)] * 300

    write_parquet(tmp_path / 'out', [dict(id=1, name='cat')], images(200))
    assert most <= 2
    path = min((tmp_path / 'out').iterdir())
    assert pq.read_metadata(path).row_group(0).num_rows == 1  # 2 would have 600 annotations


@pytest.mark.parametrize('workers', [0, 2])
def test_samples_in_workers(scene, workers):
    loader = DataLoader(opened(scene, pipeline=PIPELINE), batch_size=None, num_workers=workers)
    assert [len(sample['data_samples'].gt_instances) for sample in loader] == [3, 1, 0]


def test_ids_may_be_text(tmp_path, write_parquet):
    image = dict(id='b7', file_name='b.png', height=64, width=80)
    found = [annotation(0, 'b7', 'x', 10)]
    write_parquet(tmp_path / 'parquet', [dict(id='x', name='cat')], [(image, found)])
    item = opened(tmp_path).get_data_info(0)
    assert (item['img_id'], len(item['instances'])) == ('b7', 1)


# --- What cannot be written. ---


IMAGE = dict(id=1, file_name='a.png', height=64, width=80)
CATS = [dict(id=1, name='cat')]


def broken_off() -> Iterator[tuple[dict, list[dict]]]:
    yield from ((IMAGE, []) for _ in range(2000))
    raise KeyboardInterrupt('in the middle')


@pytest.mark.parametrize(
    ('categories', 'images', 'error', 'said'),
    [
        (CATS, broken_off(), KeyboardInterrupt, 'in the middle'),
        (CATS, [], UserError, 'no image to write'),
        (CATS, [(IMAGE, []), (dict(IMAGE, id='b'), [])], UserError, 'do not fit into the columns'),
        ([*CATS, dict(id='x', name='dog')], [(IMAGE, [])], UserError, 'some are text'),
    ],
)
def test_a_folder_is_written_whole_or_not_at_all(
    tmp_path, write_parquet, categories, images, error, said
):
    with pytest.raises(error, match=said):
        write_parquet(tmp_path / 'below/out', categories, images)
    assert list((tmp_path / 'below').iterdir()) == []


def test_nothing_is_written_over(tmp_path, write_parquet):
    write_parquet(tmp_path / 'out', CATS, [(IMAGE, [])])
    (path,) = (tmp_path / 'out').iterdir()
    content = path.read_bytes()
    with pytest.raises(UserError, match='is there already'):
        write_parquet(tmp_path / 'out', CATS, [(IMAGE, []), (IMAGE, [])])
    assert path.read_bytes() == content
    with pytest.raises(UserError, match='is there already'):
        write_parquet(path, CATS, [(IMAGE, [])])


# --- What cannot be read. ---


def shards(root: Path) -> list[Path]:
    return sorted((root / 'parquet').iterdir())


def rewrite(path: Path, change) -> None:
    pq.write_table(change(pq.read_table(path)), path)


def without_metadata(table: object) -> object:
    return table.replace_schema_metadata({})


def with_categories(text: str) -> object:
    return lambda table: table.replace_schema_metadata({'categories': text})


FAULTS = {
    'cut off': (lambda path: path.write_bytes(path.read_bytes()[:-50]), 'was it copied whole'),
    'empty': (lambda path: path.write_bytes(b''), 'was it copied whole'),
    'text': (lambda path: path.write_text('images' * 99), 'was it copied whole'),
    'missing': (lambda path: path.unlink(), 'has no file'),
    'one of two': (lambda path: path.rename(path.with_name('0-of-2.parquet')), 'should have 2'),
    'no column': (
        lambda path: rewrite(path, lambda table: table.drop_columns(['height'])),
        "has no column 'height'",
    ),
    'another type': (
        lambda path: rewrite(path, lambda t: t.set_column(0, 'id', t['id'].cast(pa.float32()))),
        "'id' is of type float, where int64 is expected",
    ),
    'no metadata': (lambda path: rewrite(path, without_metadata), "no 'categories'"),
    'metadata of no JSON': (lambda path: rewrite(path, with_categories('cat')), 'are no list'),
    'metadata of names': (lambda path: rewrite(path, with_categories('["cat"]')), 'are no list'),
    'twice': (
        lambda path: rewrite(path, with_categories('[{"id":1,"name":"a"},{"id":1,"name":"b"}]')),
        'the id 1 stands twice',
    ),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_what_cannot_be_opened_is_named(scene, fault):
    (path,) = shards(scene)
    spoil, said = FAULTS[fault]
    spoil(path)
    with pytest.raises(UserError, match=said) as error:
        opened(scene)
    assert str(scene / 'parquet') in str(error.value)
    assert '\n' not in str(error.value)


def test_files_of_two_data_sets_are_refused(scene, tmp_path, write_parquet):
    write_parquet(tmp_path / 'other', CATS, [(IMAGE, [])])
    (path,) = shards(scene)
    path.rename(path.with_name('a.parquet'))
    (tmp_path / 'other/00000-of-00001.parquet').rename(path.with_name('b.parquet'))
    with pytest.raises(UserError, match='has other types or categories than'):
        opened(scene)


def test_a_folder_has_to_be_named(scene):
    with pytest.raises(UserError, match='nowhere is no folder of Parquet files'):
        opened(scene, ann_file='nowhere')
    with pytest.raises(UserError, match='ann_file is no folder of Parquet files'):
        opened(scene, ann_file='')


def spoil_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)


def spoil_mask(path: Path) -> None:
    rows = pq.read_table(path).to_pylist()
    rows[0]['annotations'][0]['polygons'] = [[1.0, 1.0, float('nan'), 5.0, 9.0, 9.0]]
    schema = pq.read_schema(path)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def spoil_null(path: Path) -> None:
    rows = pq.read_table(path).to_pylist()
    rows[0] = dict.fromkeys(rows[0])
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)


@pytest.mark.parametrize(
    ('spoil', 'said'),
    [
        (spoil_pages, 'cannot be read'),
        (spoil_mask, 'annotation 0 is one with polygons whose coordinates are not all numbers'),
        (spoil_null, 'has the id None'),
        (Path.unlink, 'cannot be read'),
    ],
)
def test_an_image_whose_row_is_broken_cannot_be_used(scene, spoil, said):
    dataset = opened(scene, pipeline=PIPELINE, max_refetch=0)
    test = opened(scene, pipeline=PIPELINE, test_mode=True)
    (path,) = shards(scene)
    spoil(path)
    with unusable_images_noted() as noted, pytest.raises(UserError, match=said):
        dataset[0]
    assert [each.path for each in noted] == [f'{path}, row 0']
    assert '\n' not in noted[0].reason
    with pytest.raises(UserError, match=said):
        test[0]
