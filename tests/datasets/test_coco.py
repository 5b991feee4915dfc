import json
from inspect import signature
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.dataset import BaseDataset
from mmengine.fileio import BaseStorageBackend, register_backend
from mmengine.logging import MMLogger
from PIL import Image

from mmdet.datasets import CocoDataset
from mmdet.datasets.unusable_image import unusable_images_noted
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
        annotation(9, 10, bbox=[1, 1, 5, 5], area=25, segmentation=[[1, 1, 6, 1, 6, 6, 1, 6]]),
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


def test_it_takes_what_mmengines_data_sets_take_with_the_same_defaults():
    ours, mmengines = (signature(cls).parameters for cls in (CocoDataset, BaseDataset))
    assert ours.keys() == {*mmengines, 'backend_args', 'allow_outside_root', 'max_unusable'}
    changed = {name for name in mmengines if ours[name].default != mmengines[name].default}
    assert changed == {'data_prefix', 'pipeline'}  # the folder is `img`; no default is a list


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


def test_filter_leaves_out_empty_crowded_and_small_images(content, write, logged):
    dataset = write(content, filter_cfg=dict(filter_empty_gt=True, min_size=10))
    assert [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))] == [3, 7]
    assert len(write(content, filter_cfg=dict(min_size=10))) == 4
    (record,) = {record.message for record in logged.records}
    assert 'a.json: 1 images with a side below min_size=10 of filter_cfg are left out: ' in record
    assert record.endswith('/img/9.png')
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


@pytest.fixture
def logged(caplog):
    """What is logged, also where another test has set a logger up."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level('WARNING'):
        yield caplog
    logger.removeHandler(caplog.handler)


def degenerate(content: dict) -> dict:
    """The content, with annotations of image 7 of which the second alone teaches something."""
    changes = [
        dict(bbox=[10, 10, 0.5, 20]),
        dict(area=0),
        dict(bbox=[70, 10, 20, 20]),
        dict(ignore=True),
        dict(segmentation=[[1, 1, 2, 2]]),
        dict(bbox=[]),
        dict(category_id=30, bbox=[10, 10, 0.5, 20]),  # of no wanted class
    ]
    entries = [dict(id=i, **annotation(7, 10) | change) for i, change in enumerate(changes)]
    return {**content, 'annotations': entries}


def test_what_teaches_nothing_is_left_out_and_said_in_a_line(content, write, logged):
    dataset = write(degenerate(content))
    assert len(dataset.get_data_info(3)['instances']) == 2
    assert len(dataset[3]['data_samples'].gt_instances) == 2
    (record,) = logged.records
    assert record.levelname == 'WARNING'
    for part in (
        'a.json: 1 left out: 1 with polygons of fewer than three points',
        '(first: annotation 4 of image 7)',
        '3 not trained on: 1 with a box of less than a pixel (first: annotation 0 of image 7)',
        '1 with a box outside of the image (first: annotation 2 of image 7)',
        '1 marked "ignore" (first: annotation 3 of image 7)',
        '1 without a usable box: taken from the mask (first: annotation 5 of image 7)',
    ):
        assert part in record.message


def test_a_test_set_says_what_is_left_out_alone(content, write, logged):
    write(degenerate(content), test_mode=True)
    (record,) = logged.records
    assert '1 left out' in record.message
    assert 'not trained on' not in record.message


def test_a_sound_file_says_nothing(content, write, logged):
    write(content)
    assert not logged.records


def test_nan_and_far_coordinates_never_reach_the_decoder(content, write):
    """The one made pycocotools run for ever, the other took all memory."""
    for wrong in (float('nan'), 1e9):
        polygon = [[10.0, 10.0, wrong, 10.0, 30.0, 30.0]]
        content['annotations'].append(dict(id=0, **annotation(7, 10, segmentation=polygon)))
    assert len(write(content)[3]['data_samples'].gt_instances) == 2


def test_masks_lie_where_they_were_drawn_whatever_exif_says(content, write, tmp_path):
    """A phone stores the picture lying, 60 x 40, and asks to turn it."""
    polygon = [[10, 2, 30, 2, 30, 12, 10, 12]]
    drawn = annotation(7, 10, bbox=[10, 2, 20, 10], segmentation=polygon)
    content['annotations'] = [dict(id=1, **drawn)]
    dataset = write(content)
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[2:12, 10:30] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / 'img' / '7.png', exif=exif)
    sample = dataset[3]
    mask = sample['data_samples'].gt_instances.masks.to_tensor()[0].bool()
    assert (sample['inputs'][:, mask] == 255).all()
    assert (sample['inputs'][:, ~mask] == 0).all()

    # The same picture, annotated as it is seen: upright, 40 x 60.
    (image,) = [image for image in content['images'] if image['id'] == 7]
    image |= dict(width=40, height=60)
    polygon = [[28, 10, 38, 10, 38, 30, 28, 30]]
    drawn = annotation(7, 10, bbox=[28, 10, 10, 20], segmentation=polygon)
    content['annotations'] = [dict(id=1, **drawn)]
    dataset = write(content)
    Image.fromarray(pixels).save(tmp_path / 'img' / '7.png', exif=exif)
    sample = dataset[3]
    mask = sample['data_samples'].gt_instances.masks.to_tensor()[0].bool()
    assert mask.shape == (60, 40)
    assert (sample['inputs'][:, mask] == 255).all()
    assert (sample['inputs'][:, ~mask] == 0).all()


def test_swapped_sizes_are_refused_before_masks_lie_elsewhere(content, write, tmp_path):
    dataset = write(content, test_mode=True)
    cv2.imwrite(str(tmp_path / 'img' / '7.png'), np.zeros((60, 40, 3), np.uint8))
    with pytest.raises(UserError, match=r'7\.png is 40 x 60 .* annotated as 60 x 40'):
        dataset[3]


@pytest.mark.parametrize('as_text', ['images', 'annotations'])
def test_ids_match_though_one_is_text(content, write, as_text):
    """Every image was background."""
    key = 'id' if as_text == 'images' else 'image_id'
    for entry in content[as_text]:
        entry[key] = str(entry[key])
    dataset = write(content, filter_cfg=dict(filter_empty_gt=True, min_size=10))
    assert [str(dataset.get_data_info(i)['img_id']) for i in range(len(dataset))] == ['3', '7']


def test_images_lie_in_the_root_by_default(content, write, tmp_path):
    write(content)
    for image in content['images']:
        (tmp_path / 'img' / image['file_name']).rename(tmp_path / image['file_name'])
    dataset = CocoDataset(
        ann_file='a.json',
        data_root=str(tmp_path),
        metainfo=dict(classes=('cat', 'dog')),
        pipeline=PIPELINE,
    )
    assert dataset[3]['inputs'].shape == (3, 40, 60)
    for wrong in (dict(img=None), dict(images='img/')):
        with pytest.raises(UserError, match=r"write data_prefix=dict\(img='FOLDER/'\)"):
            CocoDataset(ann_file='a.json', data_root=str(tmp_path), data_prefix=wrong)


@pytest.mark.parametrize(
    ('name', 'file'),
    [
        ('sub/7.png', 'img/sub/7.png'),
        ('../7.png', '7.png'),
        ('{root}/elsewhere/7.png', 'elsewhere/7.png'),
        ('ä ö.png', 'img/ä ö.png'),
    ],
)
def test_file_names_may_be_paths(content, write, tmp_path, name, file):
    dataset_of = dict(content, images=[dict(image) for image in content['images']])
    write(content)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / 'img/7.png').rename(tmp_path / file)
    dataset_of['images'][0]['file_name'] = name.format(root=tmp_path)
    (tmp_path / 'a.json').write_text(json.dumps(dataset_of))
    dataset = CocoDataset(
        ann_file='a.json',
        data_root=str(tmp_path),
        data_prefix=dict(img='img/'),
        metainfo=dict(classes=('cat', 'dog')),
        pipeline=PIPELINE,
    )
    assert dataset[3]['inputs'].shape == (3, 40, 60)


def reopen(tmp_path: Path, content: dict, **kwargs: object) -> CocoDataset:
    """Open the data set with the images that are there."""
    (tmp_path / 'a.json').write_text(json.dumps(content))
    return CocoDataset(
        **dict(
            ann_file=str(tmp_path / 'a.json'),
            data_prefix=dict(img=str(tmp_path / 'img')),
            metainfo=dict(classes=('cat', 'dog')),
            pipeline=PIPELINE,
        )
        | kwargs
    )


def test_missing_pictures_are_named_before_training(content, write, tmp_path):
    write(content)
    (tmp_path / 'img/3.png').unlink()
    (tmp_path / 'img/9.png').unlink()
    with pytest.raises(UserError, match=r'2 of 5 images do not exist \(first: .*/img/3\.png\)'):
        reopen(tmp_path, content)
    with pytest.raises(UserError, match=r'2 of 5 images do not exist'):
        reopen(tmp_path, content, max_unusable=1, test_mode=True)
    small_left_out = dict(min_size=10)
    with pytest.raises(UserError, match=r'1 of 4 images do not exist'):
        reopen(tmp_path, content, filter_cfg=small_left_out)
    assert len(reopen(tmp_path, content, pipeline=[])) == 5
    content['images'][1]['file_name'] = 'img\\3.png'
    with pytest.raises(UserError, match=r'write / for the backslashes in file_name'):
        reopen(tmp_path, content)


def test_pictures_are_found_though_the_file_was_written_elsewhere(content, write, tmp_path, logged):
    write(content)
    for image in content['images']:
        image['file_name'] = f'C:\\me\\{image["file_name"]}'
    assert reopen(tmp_path, content, test_mode=True)[3]['inputs'].shape == (3, 40, 60)
    assert '5 repaired: 5 images named by a path of another place' in logged.text


def test_a_folder_that_cannot_be_listed_is_trusted(content, write, tmp_path, monkeypatch):
    write(content)

    def refuse(folder: str) -> None:
        raise PermissionError(folder)

    monkeypatch.setattr('os.listdir', refuse)
    assert len(reopen(tmp_path, content)) == 5


def test_an_empty_data_set_is_one_line(content, write):
    nothing = {**content, 'images': [], 'annotations': []}
    with pytest.raises(UserError, match=r'a\.json has no images'):
        write(nothing)
    assert len(write(nothing, test_mode=True)) == 0
    for indices in (0, []):
        with pytest.raises(UserError, match=r'a\.json: indices=.* leaves no image'):
            write(content, indices=indices)
    assert len(write(content, indices=2)) == 2


def test_labels_of_an_image_are_those_to_learn(content, write):
    dataset = write(content)
    assert [dataset.get_cat_ids(i) for i in range(5)] == [[1], [], [], [0, 1], [1]]


def test_a_share_of_missing_pictures_is_said_before_training(content, write, tmp_path, logged):
    write(content)
    (tmp_path / 'img/3.png').unlink()
    assert len(reopen(tmp_path, content, max_unusable=0.2)) == 5
    (record,) = logged.records
    assert '1 of 5 images do not exist (first: ' in record.message
    assert CocoDataset(max_unusable=0.29, lazy_init=True)._unusable_of(100) == 29
    with pytest.raises(UserError, match=r'max_unusable=5 is no share'):
        reopen(tmp_path, content, max_unusable=5)


def test_in_training_another_picture_takes_the_place(content, write, tmp_path):
    dataset = write(content, max_unusable=0.4)
    (tmp_path / 'img' / '7.png').write_bytes(b'no picture')
    cv2.imwrite(str(tmp_path / 'img' / '3.png'), np.zeros((60, 40, 3), np.uint8))
    with unusable_images_noted() as noted:
        ids = {dataset[index]['data_samples'].img_id for index in (0, 3) for _ in range(20)}
    assert ids == {4, 5, 9}
    assert {Path(image.path).name for image in noted} == {'3.png', '7.png'}
    for image in noted:
        assert image.path in image.reason
        assert (image.ann_file, image.limit, image.of) == (dataset.ann_file, 2, 5)


def test_where_nobody_listens_it_is_logged(content, write, tmp_path, logged):
    dataset = write(content)
    (tmp_path / 'img' / '7.png').write_bytes(b'no picture')
    dataset[3]
    assert '7.png cannot be read' in logged.records[0].message


def test_pictures_that_are_ignored_are_noted_too(content, write, tmp_path):
    pipeline = [dict(PIPELINE[0], ignore_empty=True), *PIPELINE[1:]]
    dataset = write(content, pipeline=pipeline)
    (tmp_path / 'img' / '7.png').unlink()
    with unusable_images_noted() as noted:
        dataset[3]
    assert noted[0].reason.endswith('7.png does not exist')
    dataset = reopen(tmp_path, {**content, 'images': content['images'][1:]}, pipeline=pipeline)
    dataset.test_mode = True
    (tmp_path / 'img' / '3.png').unlink()
    with pytest.raises(UserError, match=r'gives nothing for .*3\.png'):
        dataset[0]


def test_where_no_picture_can_be_used_it_is_one_line(content, write, tmp_path):
    dataset = write(content, max_unusable=1)
    for path in (tmp_path / 'img').iterdir():
        path.write_bytes(b'<html>')
    with pytest.raises(UserError, match=r'a\.json: 1001 images in a row .*png cannot be read'):
        dataset[3]
    nothing = [*PIPELINE[:2], dict(type='FilterAnnotations', min_gt_bbox_wh=(99, 99))]
    dataset = write(content, pipeline=nothing, indices=[3], max_refetch=2)
    with pytest.raises(UserError, match=r'3 images in a row .*left nothing'):
        dataset[0]


def test_a_picture_that_cannot_be_read_is_named(content, write, tmp_path):
    dataset = write(content, test_mode=True)
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


class Store(BaseStorageBackend):
    """Of a user's own, which has its files under other paths."""

    def get(self, filepath: str) -> bytes:
        return Path(filepath.replace('store-', '')).read_bytes()

    def get_text(self, filepath: str) -> str:
        raise NotImplementedError


def test_pictures_are_looked_for_where_they_are_read(content, write, tmp_path):
    register_backend('store', Store, force=True)
    load = dict(type='LoadImageFromFile', backend_args=dict(backend='store'))
    folder = dict(img=str(tmp_path / 'store-img'))
    assert write(content, data_prefix=folder, pipeline=[load])[0]['img'].shape == (40, 60, 3)
    with pytest.raises(UserError, match='store-img does not exist'):
        write(content, data_prefix=folder, pipeline=[dict(type='LoadImageFromFile')])


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
