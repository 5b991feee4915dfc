"""As https://docs.ultralytics.com/datasets/segment/ describes it, and Roboflow exports it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image

from mmdet.datasets import YOLOSegDataset
from mmdet.datasets.formats.yolo import label_file
from mmdet.errors import UserError

from .scene import CLASSES, SCENE, assert_is_scene, write_pictures

YAML = f'path: .\ntrain: images/train\nval: images/train\nnames: {list(CLASSES)}\n'


def lines_of(things: list, height: int, width: int) -> list[str]:
    return [
        f'{thing.label} '
        + ' '.join(f'{value:.6f}' for value in (thing.outline / [width, height]).ravel())
        for thing in things
    ]


@pytest.fixture
def root(tmp_path) -> Path:
    write_pictures(tmp_path / 'images/train')
    labels = tmp_path / 'labels/train'
    labels.mkdir(parents=True)
    for picture in SCENE[:2]:  # the third has no file, as Ultralytics leaves it out
        lines = lines_of(picture.things, picture.height, picture.width)
        (labels / f'{picture.name}.txt').write_text('\n'.join(lines) + '\n')
    (tmp_path / 'data.yaml').write_text(YAML)
    return tmp_path


def opened(root: Path, **changes: object) -> YOLOSegDataset:
    arguments = dict(
        data_root=str(root), ann_file='data.yaml', data_prefix=dict(img='images/train')
    )
    return YOLOSegDataset(**arguments | changes)


def add_line(root: Path, line: str) -> None:
    path = root / 'labels/train/a.txt'
    path.write_text(path.read_text() + line + '\n')


def findings(monkeypatch, root: Path, **changes: object) -> tuple[YOLOSegDataset, str]:
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'log', lambda _, text: said.append(text))
    return opened(root, **changes), '\n'.join(said)


def test_it_is_the_scene(root):
    assert_is_scene(opened(root))


def test_names_may_be_numbered(root):
    names = '\n'.join(f'  {number}: {name}' for number, name in enumerate(CLASSES))
    (root / 'data.yaml').write_text(f'train: images/train\nnames:\n{names}\n')
    assert_is_scene(opened(root))


def test_files_of_macos_are_no_images(root):
    (root / 'images/train/._a.png').write_bytes(b'\0\5\26\7')
    assert_is_scene(opened(root, test_mode=True))


def test_a_list_of_classes_is_not_empty(root):
    (root / 'classes.txt').write_text('\n\n')
    with pytest.raises(UserError, match=r'classes\.txt names no class'):
        opened(root, ann_file='classes.txt')


def test_names_are_as_they_are_written(root):
    (root / 'data.yaml').write_text('train: images/train\nnames: [no, 007, null]\n')
    assert opened(root).metainfo['classes'] == ('no', '007', 'null')


def test_some_classes_in_another_order(root):
    dataset = opened(root, metainfo=dict(classes=('dog', 'cat')))
    assert dataset.get_cat_ids(0) == [0, 1, 0]
    assert dataset.get_cat_ids(1) == []


def test_a_list_of_images(root):
    (root / 'some.txt').write_text('./images/train/b.png\r\n\r\nimages\\train\\a.png\r\n')
    dataset = opened(root, data_prefix=dict(img='some.txt'))
    assert [Path(dataset.get_data_info(i)['img_path']).name for i in (0, 1)] == ['b.png', 'a.png']
    assert dataset[0] is not None
    assert len(dataset.get_data_info(1)['instances']) == 3


def test_windows_text(root):
    path = root / 'labels/train/a.txt'
    path.write_bytes(path.read_text().replace('\n', '\r\n').encode('utf-16'))
    (root / 'data.yaml').write_bytes(b'\xef\xbb\xbf' + YAML.replace('\n', '\r\n').encode())
    assert_is_scene(opened(root))


def test_a_photo_that_is_turned(root):
    """Ultralytics' shares are of the picture as a viewer shows it."""
    stored = cv2.rotate(SCENE[0].pixels(), cv2.ROTATE_90_COUNTERCLOCKWISE)
    exif = Image.Exif()
    exif[0x0112] = 6
    (root / 'images/train/a.png').unlink()
    Image.fromarray(stored).save(root / 'images/train/a.jpg', exif=exif)
    assert_is_scene(opened(root))


@pytest.mark.parametrize(
    'line, why',
    [
        ('1 0.5 0.5 0.2 0.2', 'that are boxes, where a polygon has three points or more'),
        ('1 0.1 0.1 0.5 x 0.2 0.9', 'whose coordinates are not all numbers'),
        ('1 0.1 0.1 0.5 nan 0.2 0.9', 'with polygons whose coordinates are not all numbers'),
        ('1 10 10 50 10 50 50', "with coordinates above 1, where YOLO's are shares of the image"),
        ('1 0.1 0.1 0.5 0.1 0.2 0.9 0.3', 'with half a point'),
        ('7 0.1 0.1 0.5 0.1 0.2 0.9', 'of categories that the file does not have'),
        ('cat 0.1 0.1 0.5 0.1 0.2 0.9', 'of categories that the file does not have'),
    ],
)
def test_a_line_is_left_out_and_named(root, monkeypatch, line, why):
    add_line(root, line)
    dataset, said = findings(monkeypatch, root)
    assert_is_scene(dataset)
    assert f'1 left out: 1 {why} (first: {root}/labels/train/a.txt, line 4)' in said


def test_a_line_twice(root, monkeypatch):
    add_line(root, (root / 'labels/train/a.txt').read_text().split('\n')[0])
    dataset, said = findings(monkeypatch, root)
    assert_is_scene(dataset)
    assert 'that stand twice in their file' in said


def test_what_is_missing_is_said(root, monkeypatch):
    _, said = findings(monkeypatch, root)
    assert (
        f'1 images without a label file, and so without objects (first: {root}/images/train/c.png)'
        in said
    )


def test_an_image_that_cannot_be_read(root, monkeypatch):
    (root / 'images/train/c.png').write_bytes(b'no image')
    dataset, said = findings(monkeypatch, root)
    assert len(dataset) == 2
    assert f'1 images with a file that cannot be read (first: {root}/images/train/c.png)' in said
    with pytest.raises(UserError, match=r'images/train/c\.png cannot be read'):
        opened(root, test_mode=True)


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(ann_file=''), "needs ann_file='data.yaml'"),
        (dict(ann_file='none.yaml'), 'none.yaml does not exist'),
        (dict(data_prefix=dict(img='images/none')), 'images/none does not exist'),
        (dict(data_prefix=dict(img='labels/train')), 'labels/train has no images'),
    ],
)
def test_what_is_wrong_is_named(root, changes, message):
    with pytest.raises(UserError, match=message):
        opened(root, **changes)


@pytest.mark.parametrize(
    'text, message',
    [
        ('names: [a\n', 'data.yaml is not YAML'),
        ('nc: 3\n', 'no entry `names`'),
        ('names: cat\n', "`names` is 'cat'"),
        ('names: {a: 1}\n', '`names` is'),
        ('names: []\n', r'`names` is \[\]'),
        ('names: [[a], b]\n', '`names` is'),
    ],
)
def test_a_yaml_that_is_wrong(root, text, message):
    (root / 'data.yaml').write_text(text)
    with pytest.raises(UserError, match=message):
        opened(root)


def test_no_label_file_at_all(root):
    for path in (root / 'labels/train').iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r'none of its 3 images has a label file; that of .*a\.png'):
        opened(root)


def test_most_lines_are_boxes(root):
    (root / 'labels/train/a.txt').write_text('0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.2 0.2\n')
    with pytest.raises(UserError, match='2 of 3 annotations cannot be used'):
        opened(root)


@pytest.mark.parametrize(
    'image, label',
    [
        ('images/a.b.jpg', 'labels/a.b.txt'),
        ('/d/images/train/a.jpg', '/d/labels/train/a.txt'),
        ('/images/x/images/a.jpg', '/images/x/labels/a.txt'),
        ('d/a.jpg', 'd/a.txt'),
    ],
)
def test_where_labels_are(image, label):
    assert label_file(image) == label


def test_a_sample(root):
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_mask=True)]
    sample = opened(root, pipeline=pipeline)[0]
    masks = sample['gt_masks'].pack().to_tensor().numpy()
    inside = [np.unique(sample['img'][mask > 0]) for mask in masks]
    assert [values.tolist() for values in inside[::2]] == [[150], [150]]  # dogs
