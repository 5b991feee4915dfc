import json

import cv2
import numpy as np
import pytest

from mmdet.datasets import CocoDataset
from mmdet.errors import UserError

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_mask=True),
    dict(type='PackDetInputs'),
]
SQUARE = [[10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]]


def annotation(image_id: int, category_id: int, **changes: object) -> dict:
    return (
        dict(
            image_id=image_id,
            category_id=category_id,
            bbox=[10, 10, 20, 20],
            area=400,
            iscrowd=0,
            segmentation=SQUARE,
        )
        | changes
    )


@pytest.fixture
def content() -> dict:
    """Five images: two with objects, one empty, one with a crowd only, one tiny."""
    crowd = dict(size=[40, 60], counts=[400, 30, 2400 - 430])
    annotations = [
        annotation(7, 20),
        annotation(7, 10, bbox=[50, 10, 30, 20]),  # reaches over the border
        annotation(3, 10),
        annotation(5, 10, iscrowd=1, segmentation=crowd),
        annotation(9, 10, bbox=[1, 1, 5, 5], area=25),
    ]
    return dict(
        images=[
            dict(id=i, file_name=f'{i}.png', width=60 if i != 9 else 8, height=40 if i != 9 else 8)
            for i in (7, 3, 4, 5, 9)
        ],
        annotations=[dict(id=i + 1, **a) for i, a in enumerate(annotations)],
        categories=[dict(id=20, name='cat'), dict(id=10, name='dog'), dict(id=30, name='cow')],
    )


@pytest.fixture
def write(tmp_path):
    """Write a COCO file and its images, and return a function that opens it as a data set."""

    def write_and_open(content: object, **kwargs: object) -> CocoDataset:
        (tmp_path / 'img').mkdir(exist_ok=True)
        if isinstance(content, dict):
            for image in content.get('images', []):
                pixels = np.zeros((image['height'], image['width'], 3), np.uint8)
                cv2.imwrite(str(tmp_path / 'img' / image['file_name']), pixels)
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / 'a.json').write_text(text)
        return CocoDataset(
            **dict(
                data_root=str(tmp_path),
                ann_file='a.json',
                data_prefix=dict(img='img'),
                metainfo=dict(classes=('cat', 'dog')),
                pipeline=PIPELINE,
            )
            | kwargs
        )

    return write_and_open


def test_items(content, write):
    dataset = write(content)
    assert [dataset.get_data_info(i)['img_id'] for i in range(5)] == [3, 4, 5, 7, 9]
    item = dataset.get_data_info(3)
    assert (item['width'], item['height']) == (60, 40)
    assert [obj['bbox_label'] for obj in item['instances']] == [0, 1]
    assert item['instances'][0]['bbox'] == [10, 10, 30, 30]
    assert item['img_path'].endswith('img/7.png')


def test_classes_decide_labels_and_what_is_left_out(content, write):
    dataset = write(content, metainfo=dict(classes=('cow', 'cat')))
    labels = [o['bbox_label'] for i in range(5) for o in dataset.get_data_info(i)['instances']]
    assert labels == [1]


def test_filter_leaves_out_empty_crowded_and_small_images(content, write):
    dataset = write(content, filter_cfg=dict(filter_empty_gt=True, min_size=10))
    assert [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))] == [3, 7]
    assert len(write(content, filter_cfg=dict(min_size=10))) == 4
    assert len(write(content, filter_cfg=dict(filter_empty_gt=True), test_mode=True)) == 5


def test_samples(content, write):
    dataset = write(content)
    sample = dataset[3]['data_samples']
    assert dataset[3]['inputs'].shape == (3, 40, 60)
    assert sample.gt_instances.labels.tolist() == [0, 1]
    assert sample.gt_instances.masks.to_tensor()[0].sum() == 400
    empty = dataset[1]['data_samples'].gt_instances
    assert empty.bboxes.shape == (0, 4)
    assert empty.masks.to_tensor().shape == (0, 40, 60)


def test_crowds_do_not_leave_the_worker(content, write):
    dataset = write(content)
    assert dataset.get_data_info(2)['instances'][0]['ignore_flag'] == 1
    assert len(dataset[2]['data_samples'].gt_instances) == 0


def test_degenerate_annotations_are_left_out(content, write):
    content['annotations'] = [
        dict(id=i, **annotation(7, 10, **changes))
        for i, changes in enumerate(
            [
                dict(bbox=[10, 10, 0.5, 20]),
                dict(area=0),
                dict(bbox=[70, 10, 20, 20]),
                dict(ignore=True),
                dict(segmentation=[[1, 1, 2, 2]]),  # kept, but ignored: it has no mask
            ]
        )
    ]
    dataset = write(content)
    assert len(dataset.get_data_info(3)['instances']) == 1
    assert len(dataset[3]['data_samples'].gt_instances) == 0


def test_a_picture_that_cannot_be_read_is_named(content, write, tmp_path):
    dataset = write(content)
    (tmp_path / 'img' / '7.png').write_bytes(b'no picture')
    with pytest.raises(UserError, match=r'7\.png cannot be read'):
        dataset[3]
    (tmp_path / 'img' / '7.png').unlink()
    with pytest.raises(UserError, match=r'7\.png does not exist'):
        dataset[3]
    (tmp_path / 'img' / '7.png').write_bytes(b'')
    with pytest.raises(UserError, match=r'7\.png cannot be read'):
        dataset[3]


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [
        (lambda c: 'not json{', 'is not JSON'),
        (lambda c: [1, 2], 'its top level is no object'),
        (lambda c: {'images': [], 'annotations': []}, "no list 'categories'"),
        (lambda c: {**c, 'annotations': [dict(id=1)]}, "'annotations' has no 'image_id'"),
        (lambda c: {**c, 'images': c['images'] * 2}, "id 7 stands twice in 'images'"),
    ],
)
def test_a_file_that_is_not_coco_is_refused(content, write, change, complaint):
    with pytest.raises(UserError, match=complaint):
        write(change(content))


def test_unknown_classes_are_named_with_those_there_are(content, write):
    with pytest.raises(UserError, match=r"no category 'horse'; its categories are 'cat', 'dog'"):
        write(content, metainfo=dict(classes=('cat', 'horse')))


def test_missing_files_are_named_with_the_layout(content, write, tmp_path):
    with pytest.raises(UserError, match=r'(?s)DATA_ROOT/annotations.*b\.json does not exist'):
        write(content, ann_file='b.json')
    with pytest.raises(UserError, match=r'(?s)DATA_ROOT/train2017.*folder .*/pics does not exist'):
        write(content, data_prefix=dict(img='pics'))


def test_a_test_split_has_no_annotations(content, write):
    del content['annotations']
    dataset = write(content, test_mode=True)
    assert len(dataset) == 5
    assert len(dataset[0]['data_samples'].gt_instances) == 0


def test_a_filter_that_leaves_nothing_is_refused(content, write):
    with pytest.raises(UserError, match='none of its 5 images is left'):
        write(content, filter_cfg=dict(min_size=1000))
    with pytest.raises(UserError, match="unknown key 'min_sise'"):
        write(content, filter_cfg=dict(min_sise=3))
