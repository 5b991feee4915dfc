"""As VOC's development kit describes it, and labelme2voc.py and CVAT (Datumaro) export it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image

from mmdet.datasets import VOCSegDataset
from mmdet.datasets.formats.voc_classes import VOC_CLASSES, voc_colour
from mmdet.errors import UserError
from mmdet.structures.segmentation import decode_segmentation

from .scene import CLASSES, SCENE, Picture, assert_is_scene, write_pictures

FOLDERS = dict(img='JPEGImages', inst='SegmentationObject', sem='SegmentationClass')
PALETTE = [part for number in range(256) for part in voc_colour(number)]
VOID = 255


def numbered(picture: Picture) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the objects and of their classes."""
    objects, classes = np.zeros((2, picture.height, picture.width), np.uint8)
    for number, thing in enumerate(picture.things, start=1):
        inside = thing.mask(picture.height, picture.width) > 0
        objects[inside], classes[inside] = number, thing.label + 1
    return objects, classes


def save(path: Path, labels: np.ndarray) -> None:
    """Write numbers with VOC's palette."""
    image = Image.fromarray(labels)
    image.putpalette(PALETTE)
    image.save(path)


def write_voc(root: Path) -> None:
    """Write the scene, with the names of its classes as labelme2voc.py leaves them."""
    write_pictures(root / 'JPEGImages', '.jpg')
    for name in ('SegmentationObject', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / name).mkdir(parents=True)
    for picture in SCENE:
        for folder, labels in zip(list(FOLDERS.values())[1:], numbered(picture), strict=True):
            save(root / folder / f'{picture.name}.png', labels)
    (root / 'ImageSets/Segmentation/train.txt').write_text('a\nb\nc\n')
    (root / 'class_names.txt').write_text('_background_\ncat\ndog\nold boat\n')


@pytest.fixture
def root(tmp_path) -> Path:
    write_voc(tmp_path)
    return tmp_path


def opened(root: Path, **changes: object) -> VOCSegDataset:
    arguments = dict(
        data_root=str(root),
        ann_file='ImageSets/Segmentation/train.txt',
        data_prefix=FOLDERS,
    )
    return VOCSegDataset(**arguments | changes)


def findings(monkeypatch, root: Path, **changes: object) -> tuple[VOCSegDataset, str]:
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'log', lambda _, text: said.append(text))
    return opened(root, **changes), '\n'.join(said)


def change(root: Path, folder: str, function) -> None:
    """Change the numbers of image a."""
    path = root / folder / 'a.png'
    save(path, function(np.array(Image.open(path))))


def test_it_is_the_scene(root, monkeypatch):
    dataset, said = findings(monkeypatch, root)
    assert_is_scene(dataset)
    assert said == ''


def test_without_names_the_classes_are_vocs(root):
    (root / 'class_names.txt').unlink()
    dataset = opened(root)
    assert dataset.metainfo['classes'] == VOC_CLASSES
    assert dataset.get_cat_ids(0) == [1, 0, 1]
    assert opened(root, metainfo=dict(classes=('bird', 'bicycle'))).get_cat_ids(0) == [1, 1]


def test_without_a_list_it_is_all_that_has_masks(root):
    (root / 'SegmentationObject/c.png').unlink()
    assert len(opened(root, ann_file='')) == 2


def test_a_list_as_windows_writes_it(root):
    (root / 'ImageSets/Segmentation/train.txt').write_bytes(b'\xef\xbb\xbfa\r\nb\r\na\r\nc\r\n')
    assert_is_scene(opened(root))


def test_colours_of_a_label_map(root):
    """CVAT's export, whose images have three channels."""
    text = (
        '# label:color_rgb:parts:actions\nbackground:0,0,0::\n'
        'cat:250,50,83::\ndog:51,221,255\nold boat:1,2,3::\n'
    )
    (root / 'labelmap.txt').write_text(text)
    colours = np.array([(0, 0, 0), (250, 50, 83), (51, 221, 255), (1, 2, 3)], np.uint8)
    for picture in SCENE:
        objects, classes = numbered(picture)
        Image.fromarray(colours[classes]).save(root / f'SegmentationClass/{picture.name}.png')
        own = np.array(PALETTE, np.uint8).reshape(-1, 3)[objects]
        Image.fromarray(own).save(root / f'SegmentationObject/{picture.name}.png')
    # Objects are numbered by their colours; VOC's for 1, 2 and 3 are in another order.
    items = [opened(root).get_data_info(index) for index in range(3)]
    assert sorted(each['bbox_label'] for each in items[0]['instances']) == [0, 1, 1]
    assert [each['bbox_label'] for each in items[1]['instances']] == [2]
    assert opened(root).metainfo['classes'] == CLASSES


def test_void_is_of_no_object(root):
    """VOC has a seam of it around each object, here of the objects' outermost pixels."""
    inside = (np.array(Image.open(root / 'SegmentationObject/a.png')) > 0).astype(np.uint8)
    seam = inside - cv2.erode(inside, np.ones((3, 3)))
    for folder in ('SegmentationClass', 'SegmentationObject'):
        change(root, folder, lambda labels: np.where(seam, VOID, labels).astype(np.uint8))
    instances = opened(root).get_data_info(0)['instances']
    assert [each['bbox_label'] for each in instances] == [1, 0, 1]
    masks = sum(decode_segmentation(each['mask'], 80, 120) for each in instances)
    assert (masks == inside - seam).all()


def test_void_of_the_classes_is_of_no_object(root):
    """VOC's difficult objects have a number, and no class."""
    change(root, 'SegmentationClass', lambda labels: np.where(labels == 1, VOID, labels))
    assert opened(root).get_cat_ids(0) == [1, 1]


@pytest.mark.parametrize(
    ('function', 'labels', 'said'),
    [
        (
            lambda labels: np.where(labels == 1, 0, labels),
            [1, 1],
            '1 left out: 1 without a class in {root}/SegmentationClass '
            '(first: {root}/SegmentationObject/a.png, object 2)',
        ),
        (
            lambda labels: np.where(labels == 1, 9, labels),
            [1, 1],
            '1 left out: 1 of categories that the file does not have '
            '(first: {root}/SegmentationObject/a.png, object 2)',
        ),
        (
            lambda labels: np.where(np.arange(120) > 100, labels, labels * 2 % 3),
            [0, 1, 0],
            '1 to note: 1 objects whose pixels are of several classes: most of them count '
            '(first: {root}/SegmentationObject/a.png, object 2)',
        ),
    ],
)
def test_objects_whose_class_is_odd(root, monkeypatch, function, labels, said):
    change(root, 'SegmentationClass', lambda found: function(found).astype(np.uint8))
    dataset, found = findings(monkeypatch, root)
    assert dataset.get_cat_ids(0) == labels
    assert said.format(root=root) in found


def no_file(path: Path) -> None:
    path.unlink()


def no_image(path: Path) -> None:
    path.write_bytes(b'no image')


def fractions(path: Path) -> None:
    Image.fromarray(np.zeros((80, 120), np.float32)).save(path.with_suffix('.tif'))
    path.with_suffix('.tif').rename(path)


def smaller(path: Path) -> None:
    save(path, np.zeros((10, 20), np.uint8))


def strange_colour(path: Path) -> None:
    Image.fromarray(np.full((80, 120, 3), 7, np.uint8)).save(path)


@pytest.mark.parametrize(
    ('folder', 'spoil', 'why'),
    [
        ('SegmentationObject', no_file, 'does not exist'),
        ('SegmentationClass', no_file, 'does not exist'),
        ('SegmentationClass', no_image, 'cannot be read'),
        ('SegmentationObject', fractions, 'has pixels of the mode F, which number nothing'),
        ('SegmentationClass', smaller, 'is not of 120 x 80 pixels, as the objects'),
        ('SegmentationClass', strange_colour, 'has a colour of no class (7, 7, 7)'),
    ],
)
def test_a_file_that_cannot_be_used(root, monkeypatch, folder, spoil, why):
    spoil(root / folder / 'a.png')
    dataset, said = findings(monkeypatch, root)
    assert len(dataset) == 2
    assert f'1 left out: 1 images with a file that {why} (first: {root}/{folder}/a.png)' in said
    with pytest.raises(UserError) as error:
        opened(root, test_mode=True)
    assert str(error.value).endswith(f'{root}/{folder}/a.png {why}')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(ann_file='none.txt'), 'none.txt does not exist'),
        (dict(data_prefix=dict(img='JPEGImages')), "write inst='SegmentationObject'"),
        (dict(data_prefix=FOLDERS | dict(sem='none')), r'/none of data_prefix=dict\(sem='),
        (dict(data_prefix=FOLDERS | dict(inst='JPEGImages')), 'none of its 3 images has a file in'),
    ],
)
def test_what_is_wrong_is_named(root, changes, message):
    with pytest.raises(UserError, match=message):
        opened(root, **changes)


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('labelmap.txt', 'cat:1,2::\n', "labelmap.txt, line 1: 'cat:1,2::' is not name:red"),
        ('labelmap.txt', '\ncat:1,2,x::\n', 'labelmap.txt, line 2'),
        ('labelmap.txt', 'cat:1,2,256::\n', 'labelmap.txt, line 1'),
        ('labelmap.txt', 'background:0,0,0::\n', 'labelmap.txt names no class'),
        ('class_names.txt', '__ignore__\n', 'class_names.txt names no class'),
        ('ImageSets/Segmentation/train.txt', '\n', 'train.txt names no image'),
    ],
)
def test_a_list_that_is_none(root, name, text, message):
    (root / name).write_text(text)
    with pytest.raises(UserError, match=message):
        opened(root)


def test_a_picture_that_is_missing(root):
    (root / 'JPEGImages/a.jpg').unlink()
    pipeline = [dict(type='LoadImageFromFile')]
    with pytest.raises(UserError, match=r'1 of 3 images do not exist \(first: .*a\.jpg'):
        opened(root, pipeline=pipeline)


def test_parts(root):
    train = dict(ann_file='ImageSets/Segmentation/train.txt', data_prefix=FOLDERS)
    assert VOCSegDataset.find_parts(root) == dict(train=train)
    (root / 'ImageSets/Segmentation/test.txt').write_text('d\ne\n')  # VOC's has no masks
    (root / 'ImageSets/Segmentation/val.txt').write_text('c\n')
    assert list(VOCSegDataset.find_parts(root)) == ['train', 'val']
    for path in (root / 'ImageSets/Segmentation').iterdir():
        path.unlink()
    (found,) = VOCSegDataset.find_parts(root).values()
    assert_is_scene(VOCSegDataset(data_root=str(root), **found))
    assert VOCSegDataset.find_parts(root / 'JPEGImages') == {}
