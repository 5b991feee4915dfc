"""As https://ai.meta.com/datasets/segment-anything/ describes it."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from torch.utils.data import DataLoader, SequentialSampler

from mmdet.datasets import AspectRatioBatchSampler, SA1BDataset
from mmdet.datasets.unusable_image import unusable_images_noted
from mmdet.errors import UserError
from mmdet.structures.segmentation import json_rle

from .scene import SCENE

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_mask=True),
    dict(type='PackDetInputs'),
]


@pytest.fixture
def root(tmp_path) -> Path:
    for number, picture in enumerate(SCENE):
        folder = tmp_path / f'sa_{number // 2:06}'
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f'{picture.name}.png'), picture.pixels())
        annotations = []
        for index, thing in enumerate(picture.things):
            rle = coco_mask.encode(np.asfortranarray(thing.mask(picture.height, picture.width)))
            annotations.append(
                dict(
                    id=10 * number + index,
                    bbox=coco_mask.toBbox(rle).tolist(),
                    area=int(coco_mask.area(rle)),
                    predicted_iou=0.9,
                    stability_score=0.9,
                    crop_box=[0, 0, picture.width, picture.height],
                    point_coords=[[5, 5]],
                    segmentation=json_rle(rle),
                )
            )
        image = dict(
            image_id=number,
            width=picture.width,
            height=picture.height,
            file_name=f'{picture.name}.png',
        )
        content = dict(image=image, annotations=annotations)
        (folder / f'{picture.name}.json').write_text(json.dumps(content))
    return tmp_path


def opened(root: Path, **changes: object) -> SA1BDataset:
    return SA1BDataset(**dict(data_root=str(root), data_prefix=dict(img='')) | changes)


def changed(root: Path, name: str, **fields: object) -> Path:
    path = root / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return path


def names(dataset: SA1BDataset) -> list[str]:
    return [Path(dataset.get_data_info(index)['img_path']).stem for index in range(len(dataset))]


def test_it_is_the_scene_in_one_class(root):
    dataset = opened(root)
    assert dataset.metainfo['classes'] == ('object',)
    assert names(dataset) == ['a', 'b', 'c']
    for index, picture in enumerate(SCENE):
        item = dataset.get_data_info(index)
        assert (item['height'], item['width']) == (picture.height, picture.width)
        assert (item['img_id'], item['sample_idx']) == (index, index)
        assert len(item['instances']) == len(picture.things)
        for instance, thing in zip(item['instances'], picture.things, strict=True):
            found = coco_mask.decode(instance['mask'])
            np.testing.assert_array_equal(found, thing.mask(picture.height, picture.width))
    assert dataset.get_cat_ids(0) == [0, 0, 0]


def test_it_is_read_whole_as_coco_too(root):
    coco = opened(root).read()
    assert [image['id'] for image in coco.images] == [0, 1, 2]
    assert [each['id'] for each in coco.annotations] == [1, 2, 3, 4]
    assert [each['image_id'] for each in coco.annotations] == [0, 0, 0, 1]
    assert coco.categories == [dict(id=1, name='object')]


def test_the_data_list_has_positions_and_no_file_is_read_before_it_is_asked_for(root, monkeypatch):
    reads: list[str] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, 'read_bytes', lambda path: reads.append(path.name) or read(path))
    dataset = opened(root)
    assert dataset.data_list.nbytes == 4 * 3
    assert reads == []
    dataset.get_data_info(1)
    assert reads == ['b.json']
    dataset.get_data_info(1)
    assert reads == ['b.json'] * 2  # and nothing is kept


def test_indices_and_subsets(root):
    assert names(opened(root, indices=2)) == ['a', 'b']
    assert names(opened(root, indices=-1)) == ['c']
    assert names(opened(root, indices=[2, 0])) == ['c', 'a']
    dataset = opened(root)
    assert names(dataset.get_subset([1])) == ['b']
    assert names(dataset) == ['a', 'b', 'c']
    dataset.get_subset_(1)
    assert names(dataset) == ['a']
    with pytest.raises(IndexError):
        dataset.get_data_info(1)


def test_a_folder_of_many_is_part_of_it(root):
    assert names(opened(root, data_prefix=dict(img='sa_000001'))) == ['c']


@pytest.mark.parametrize('workers', [0, 2])
def test_samples_in_workers(root, workers):
    dataset = pickle.loads(pickle.dumps(opened(root, pipeline=PIPELINE)))
    loader = DataLoader(dataset, batch_size=None, num_workers=workers)
    found = [len(sample['data_samples'].gt_instances) for sample in loader]
    assert found == [3, 1, 0]


def test_filter_cfg_puts_others_in_the_place_of_what_it_leaves_out(root):
    rules = dict(filter_empty_gt=True, min_size=100)
    dataset = opened(root, pipeline=PIPELINE, filter_cfg=dict(filter_empty_gt=True))
    assert len(dataset) == 3
    for _ in range(5):
        assert len(dataset[2]['data_samples'].gt_instances) in (1, 3)
    assert len(opened(root, pipeline=PIPELINE, test_mode=True, filter_cfg=rules)[2]) == 2
    with pytest.raises(UserError, match=r'4 images in a row cannot be used'):
        opened(root, pipeline=PIPELINE, max_refetch=3, filter_cfg=rules)[0]
    with pytest.raises(UserError, match=r"unknown key 'min_area' in filter_cfg"):
        opened(root, filter_cfg=dict(min_area=1))


BROKEN = {
    'cut off': (lambda path: path.write_text(path.read_text()[:99]), 'is not JSON'),
    'missing': (lambda path: path.unlink(), 'cannot be read: No such file'),
    'another': (lambda path: path.write_text('{"shapes": []}'), 'no annotation file of SA-1B'),
    'a list': (lambda path: path.write_text('[]'), 'no annotation file of SA-1B'),
    'no id': (
        lambda path: changed(path.parent, path.name, image=dict(file_name='b.png')),
        "has the id None (of 'sa_000000/b.png')",
    ),
    'no size': (
        lambda path: changed(path.parent, path.name, image=dict(image_id=1, file_name='b.png')),
        'has height=None and width=None',
    ),
    'no mask': (
        lambda path: changed(path.parent, path.name, annotations=[dict(segmentation=[])]),
        'annotation 0 is one without a mask',
    ),
    'RLE of another size': (
        lambda path: changed(
            path.parent, path.name, annotations=[dict(segmentation=dict(size=[9, 9], counts='a'))]
        ),
        'annotation 0 is one with RLE of another size than the image',
    ),
}


@pytest.mark.parametrize('fault', BROKEN)
def test_another_takes_the_place_of_an_image_with_a_broken_file(root, fault):
    dataset = opened(root, pipeline=PIPELINE, max_unusable=0.4)
    test = opened(root, pipeline=PIPELINE, test_mode=True)
    path = root / 'sa_000000/b.json'
    spoil, said = BROKEN[fault]
    spoil(path)
    with unusable_images_noted() as noted:
        assert len(dataset[1]['data_samples'].gt_instances) in (0, 3)
    assert {each.path for each in noted} == {str(path)}
    assert said in noted[0].reason and str(path) in noted[0].reason
    assert (noted[0].limit, noted[0].of) == (1, 3)
    with pytest.raises(UserError) as error:
        test[1]
    assert said in str(error.value)
    with pytest.raises(UserError):
        test.check_image_files()


def test_batches_by_shape_pass_over_a_broken_file(root):
    dataset = opened(root, pipeline=PIPELINE)
    (root / 'sa_000000/b.json').write_text('')
    sampler = SequentialSampler(dataset)
    sampler.dataset = dataset
    assert [*AspectRatioBatchSampler(sampler, 3)] == [[0, 1, 2]]


def test_a_name_that_leads_out_is_refused(root):
    image = dict(image_id=1, width=80, height=120, file_name='../../b.png')
    changed(root, 'sa_000000/b.json', image=image)
    with pytest.raises(UserError, match=r'is outside of .*set allow_outside_root=True'):
        opened(root).get_data_info(1)
    assert opened(root, allow_outside_root=True).get_data_info(1)['img_id'] == 1


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        (dict(data_prefix=dict(img='nowhere')), 'nowhere does not exist'),
        (dict(ann_file='a.json'), 'SA1BDataset has no annotation file: leave'),
        (dict(metainfo=dict(classes=('cat',))), "has no category 'cat'"),
        (dict(serialize_data=False), 'serialize_data=False would keep a dict for each image'),
    ],
)
def test_what_cannot_be_opened_is_named(root, changes, said):
    with pytest.raises(UserError, match=said):
        opened(root, **changes)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(UserError, match='has no JSON file'):
        opened(tmp_path)


def test_images_that_are_nowhere_are_missed_at_once(root):
    for path in root.rglob('*.png'):
        path.unlink()
    with pytest.raises(UserError, match=r'none of 3 images .*/sa_000000/a.png does not exist'):
        opened(root, pipeline=PIPELINE)
