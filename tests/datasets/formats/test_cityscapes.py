"""As https://github.com/mcordts/cityscapesScripts#dataset-structure describes it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from mmdet.datasets import CityscapesDataset
from mmdet.errors import UserError
from mmdet.structures.segmentation import decode_segmentation

from .scene import SCENE

PREFIX = dict(img='leftImg8bit/train', seg='gtFine/train')
NUMBERS = (24, 26, 33)  # for the scene's labels
NAMES = ('person', 'car', 'bicycle')
ROAD = 7
CITY = 'ulm'


def masks_file(root: Path, name: str) -> Path:
    return root / f'gtFine/train/{CITY}/{name}_gtFine_instanceIds.png'


def write_cityscapes(root: Path) -> None:
    for folder in PREFIX.values():
        (root / folder / CITY).mkdir(parents=True)
    for picture in SCENE:
        labels = np.full((picture.height, picture.width), ROAD, np.uint16)
        for number, thing in enumerate(picture.things):
            inside = thing.mask(picture.height, picture.width) > 0
            labels[inside] = 1000 * NUMBERS[thing.label] + number
        cv2.imwrite(str(masks_file(root, picture.name)), labels)
        image = root / f'leftImg8bit/train/{CITY}/{picture.name}_leftImg8bit.png'
        cv2.imwrite(str(image), picture.pixels())


@pytest.fixture
def root(tmp_path) -> Path:
    write_cityscapes(tmp_path)
    return tmp_path


def opened(root: Path, **changes: object) -> CityscapesDataset:
    return CityscapesDataset(**dict(data_root=str(root), data_prefix=PREFIX) | changes)


def findings(monkeypatch, root: Path, **changes: object) -> tuple[CityscapesDataset, str]:
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'log', lambda _, text: said.append(text))
    return opened(root, **changes), '\n'.join(said)


def items_of(dataset: CityscapesDataset) -> dict[str, dict]:
    items = [dataset.get_data_info(index) for index in range(len(dataset))]
    return {Path(item['img_path']).name.split('_')[0]: item for item in items}


def change(root: Path, **numbers: int) -> None:
    """Give objects of image a another number."""
    path = str(masks_file(root, 'a'))
    labels = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    for old, new in numbers.items():
        labels[labels == int(old[1:])] = new
    cv2.imwrite(path, labels)


def test_it_is_the_scene(root, monkeypatch):
    dataset, said = findings(monkeypatch, root)
    assert said == ''
    assert dataset.metainfo['classes'] == (
        *('person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle'),
    )
    items = items_of(dataset)
    assert len(items['b']['instances']) == 1 and not items['c']['instances']
    assert all(item['img_path'].startswith(f'{root}/leftImg8bit') for item in items.values())
    found = {each['bbox_label']: each['mask'] for each in items['a']['instances']}
    assert list(found) == [0, 2]  # by their numbers; the second car is the last
    (person,) = [thing for thing in SCENE[0].things if thing.label == 0]
    assert (decode_segmentation(found[0], 80, 120) == person.mask(80, 120)).all()
    # With some of the classes it is the scene, whose objects are in another order.
    dataset = opened(root, metainfo=dict(classes=NAMES))
    labels = [each['bbox_label'] for each in items_of(dataset)['b']['instances']]
    assert labels == [2]


def test_objects_of_the_scene_in_their_order(root):
    """All of one class are in the order of their numbers."""
    change(root, o26000=24000, o24001=24001, o26002=24002)
    instances = items_of(opened(root))['a']['instances']
    for instance, thing in zip(instances, SCENE[0].things, strict=True):
        found = decode_segmentation(instance['mask'], 80, 120)
        assert (found == thing.mask(80, 120)).all()


def test_a_group_is_a_crowd_and_other_classes_are_nothing(root):
    change(root, o26000=26, o24001=29001)  # cars that are not told apart; a caravan
    instances = items_of(opened(root))['a']['instances']
    assert [(each['bbox_label'], each['ignore_flag']) for each in instances] == [(2, 1), (2, 0)]
    assert opened(root).get_cat_ids(0) == [2]


def test_the_file_of_mmdetections_converter(root):
    square = [[10, 10, 30, 10, 30, 30, 10, 30]]
    annotation = dict(id=1, image_id=0, category_id=26, iscrowd=0, area=400, segmentation=square)
    image = dict(id=0, file_name=f'{CITY}/a_leftImg8bit.png', height=80, width=120)
    classes = CityscapesDataset.METAINFO['classes']
    categories = [dict(id=26, name='car')] + [
        dict(id=number, name=name) for number, name in enumerate(classes) if name != 'car'
    ]
    content = dict(
        images=[image],
        annotations=[annotation | dict(bbox=[10, 10, 20, 20])],
        categories=categories,
    )
    (root / 'a.json').write_text(json.dumps(content))
    dataset = opened(root, ann_file='a.json', data_prefix=dict(img='leftImg8bit/train/'))
    assert dataset.get_cat_ids(0) == [2]
    assert Path(dataset.get_data_info(0)['img_path']).is_file()


def test_fog_is_of_the_same_masks(root):
    for path in (root / 'leftImg8bit/train' / CITY).iterdir():
        path.rename(path.with_name(f'{path.stem}_foggy_beta_0.02.png'))
    assert items_of(opened(root)).keys() == {'a', 'b', 'c'}


def no_file(path: Path) -> None:
    path.unlink()


def no_image(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def colours(path: Path) -> None:
    cv2.imwrite(str(path), np.zeros((80, 120, 3), np.uint8))


@pytest.mark.parametrize(
    ('spoil', 'why'),
    [
        (no_file, 'does not exist'),
        (no_image, 'cannot be read'),
        (colours, 'has colours, where instances have numbers'),
    ],
)
def test_a_file_that_cannot_be_used(root, monkeypatch, spoil, why):
    path = masks_file(root, 'a')
    spoil(path)
    dataset, said = findings(monkeypatch, root)
    assert items_of(dataset).keys() == {'b', 'c'}
    assert f'1 left out: 1 images with a file that {why} (first: {path})' in said
    with pytest.raises(UserError) as error:
        opened(root, test_mode=True)
    assert str(error.value).endswith(f'{path} {why}')


@pytest.mark.parametrize(
    ('prefix', 'message'),
    [
        (dict(img=PREFIX['img']), "write seg='gtFine/train'"),
        (PREFIX | dict(img='none'), r'/none of data_prefix=dict\(img=...\) does not exist'),
        (PREFIX | dict(seg='none'), r'/none of data_prefix=dict\(seg=...\) does not exist'),
        (PREFIX | dict(img=PREFIX['seg']), 'has no images of Cityscapes'),
        (
            PREFIX | dict(seg=PREFIX['img']),
            f'none of the 3 images has .*{CITY}/a_gtFine_instanceIds.png',
        ),
    ],
)
def test_what_is_wrong_is_named(root, prefix, message):
    with pytest.raises(UserError, match=message):
        opened(root, data_prefix=prefix)


def test_parts(root):
    assert CityscapesDataset.find_parts(root) == dict(train=dict(ann_file='', data_prefix=PREFIX))
    assert CityscapesDataset.find_parts(root / 'gtFine') == {}
