import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet.datasets import CocoDataset
from mmdet.datasets.conversion.collection import collect
from mmdet.datasets.findings import NOTICED
from mmdet.errors import UserError
from mmdet.structures.segmentation import decode_segmentation

from .mixed import CLASSES, HEIGHT, WIDTH, read, write_mixed


def names(pictures: list) -> list[str]:
    return [picture.image['file_name'] for picture in pictures]


def change(folder: Path, **sections: list) -> None:
    path = folder / 'result.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **sections}))


def write_set(folder: Path, labels: dict[str, list[str]], categories: dict[str, int]) -> None:
    """Write images with objects of these classes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in labels:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.zeros((8, 9), np.uint8))
    numbers = {name: number for number, name in enumerate(labels, 1)}
    content = dict(
        images=[dict(id=numbers[name], file_name=name, height=8, width=9) for name in labels],
        annotations=[
            dict(
                image_id=numbers[name],
                category_id=categories[each],
                segmentation=[[0, 0, 5, 0, 5, 5]],
            )
            for name, classes in labels.items()
            for each in classes
        ],
        categories=[dict(id=key, name=name) for name, key in categories.items()],
    )
    (folder / 'all.json').write_text(json.dumps(content))


def part_of(folder: Path) -> CocoDataset:
    return CocoDataset('all.json', data_root=str(folder), data_prefix=dict(img=''), lazy_init=True)


def test_classes_keep_their_names_order_and_ids(tmp_path):
    collection = read(write_mixed(tmp_path))
    assert collection.classes == list(CLASSES)
    assert [each['id'] for each in collection.categories] == [7, 3, 9]
    labels = [each['category_id'] for each in collection.parts['train'][0].annotations]
    assert labels == [0, 1, 2, 2, 1, 0, 1, 0, 0, 0]


def test_categories_of_several_files(tmp_path):
    write_set(tmp_path / 'a', {'1.png': ['cat', 'dog']}, dict(cat=1, dog=2))
    write_set(tmp_path / 'b', {'1.png': ['dog', 'emu']}, dict(dog=1, emu=5))
    write_set(tmp_path / 'c', {'1.png': ['emu']}, dict(emu=0))
    both = collect(dict(train=part_of(tmp_path / 'a'), val=part_of(tmp_path / 'b')))
    assert [(each['name'], each['id']) for each in both.categories] == [
        *(('cat', 1), ('dog', 2), ('emu', 3)),
    ]
    labels = [each['category_id'] for each in both.parts['val'][0].annotations]
    assert labels == [1, 2]
    alone = collect(dict(all=part_of(tmp_path / 'c')))
    assert list(alone.parts) == ['train']
    assert alone.categories == [dict(id=1, name='emu')]  # not 0, the background of many programs


def test_no_two_images_have_one_label_file(tmp_path):
    write_set(
        tmp_path, {'x/a.png': [], 'x/A.jpg': [], 'x/a_2.png': [], 'x/y/a.png': []}, dict(cat=1)
    )
    collection = collect(dict(all=part_of(tmp_path)))
    assert names(collection.parts['train']) == ['a.png', 'A_2.jpg', 'a_2_2.png', 'y/a.png']


def test_a_photo_annotated_as_it_is_stored(tmp_path):
    write_mixed(tmp_path, names=('a.jpg', 'b.jpg'))
    plain = read(tmp_path).parts['train'][0]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (WIDTH, HEIGHT)).save(tmp_path / 'images/a.jpg', exif=exif)
    collection = read(tmp_path)
    picture = collection.parts['train'][0]
    assert (picture.image['height'], picture.image['width']) == (WIDTH, HEIGHT)
    assert collection.findings.count(NOTICED) == 1
    for before, after in zip(plain.annotations, picture.annotations, strict=True):
        assert before['area'] == after['area']
        stored = decode_segmentation(before['segmentation'], HEIGHT, WIDTH)
        shown = decode_segmentation(after['segmentation'], WIDTH, HEIGHT)
        wrong = np.count_nonzero(np.rot90(stored, -1) != shown)
        assert wrong <= 0.1 * np.count_nonzero(stored) + 2
        if before['note'] != 'beyond':
            x, y, width, height = after['bbox']
            around = cv2.boundingRect(shown)
            np.testing.assert_allclose([x, y, width, height], around, atol=1.5)


def test_images_that_cannot_be_used(tmp_path):
    labels = {f'{number}.png': ['cat'] for number in range(20)}
    write_set(tmp_path, labels, dict(cat=1))
    (tmp_path / '3.png').unlink()
    cv2.imwrite(str(tmp_path / '5.png'), np.zeros((4, 4), np.uint8))
    collection = collect(dict(all=part_of(tmp_path)))
    assert len(collection.parts['train']) == 18
    assert '2 images that cannot be used (first: image ' in collection.findings.summary()
    assert '3.png does not exist' in collection.findings.summary()
    (tmp_path / '4.png').write_bytes(b'')
    with pytest.raises(UserError, match=r'all\.json: 3 of 20 images cannot be used; the first'):
        collect(dict(all=part_of(tmp_path)))


def test_no_images(tmp_path):
    write_set(tmp_path, {}, dict(cat=1))
    with pytest.raises(UserError, match='has no images'):
        collect(dict(all=part_of(tmp_path)))


def test_an_image_outside_of_the_data_set(tmp_path):
    write_set(tmp_path / 'in', {'../secret.png': ['cat']}, dict(cat=1))
    source = part_of(tmp_path / 'in')
    with pytest.raises(UserError, match=r'\(\.\./secret\.png\) is outside of .*--allow-outside'):
        collect(dict(all=source))
    source.allow_outside_root = True
    assert names(collect(dict(all=source)).parts['train']) == ['secret.png']


def test_a_split_is_of_all_images(tmp_path):
    write_set(tmp_path / 'a', {f'{i}.png': ['cat'] for i in range(20)}, dict(cat=1, dog=2))
    write_set(tmp_path / 'b', {f'{i}.png': ['dog'] for i in range(5)}, dict(cat=1, dog=2))
    sources = dict(train=part_of(tmp_path / 'a'), val=part_of(tmp_path / 'b'))
    first, second, other = (collect(sources).split((0.6, 0.2, 0.2), seed) for seed in (1, 1, 2))
    assert {part: len(pictures) for part, pictures in first.parts.items()} == dict(
        train=15, val=5, test=5
    )
    paths = [picture.path for part in first.parts.values() for picture in part]
    assert len(set(paths)) == 25
    for part, pictures in first.parts.items():
        assert names(pictures) == names(second.parts[part])
        assert len({*names(pictures)}) == len(pictures)
        assert {label for picture in pictures for label in picture.labels()} == {0, 1}
    assert any(names(first.parts[part]) != names(other.parts[part]) for part in first.parts)
    assert not first.findings.summary()


def test_a_split_is_the_same_whatever_the_order_of_the_images(tmp_path):
    write_set(tmp_path, {f'{i}.png': ['cat'] for i in range(20)}, dict(cat=1))
    collection = collect(dict(all=part_of(tmp_path)))
    first = collection.split((0.5, 0.5), 0)
    collection.parts['train'].reverse()
    second = collection.split((0.5, 0.5), 0)
    assert names(first.parts['val']) == names(second.parts['val'])


def test_a_class_that_a_part_is_without(tmp_path):
    labels = {f'{i}.png': ['cat'] for i in range(9)} | {'9.png': ['cat', 'emu', 'dog']}
    write_set(tmp_path, labels, dict(cat=1, emu=2, dog=3, fox=4))
    whole = collect(dict(all=part_of(tmp_path)))
    whole.parts['train'][9].annotations[2]['iscrowd'] = 1  # the dog
    collection = whole.split((0.5, 0.5), 0)
    assert collection.findings.summary() == (
        "1 to note: 1 classes that a part is without (first: 'emu', which 1 images have)"
    )


@pytest.mark.parametrize(
    ('shares', 'message'),
    [
        ((0.8, 0.3), r'--split 0\.8 0\.3: .* add up to 1'),
        ((1.0, 0.0), 'above 0'),
        ((0.4, 0.2, 0.2, 0.2), 'two shares, of train and val, or three'),
        ((0.5, 0.3, 0.2), 'there are 2 images for 3 parts'),
        ((1.0,), 'two shares'),
    ],
)
def test_shares_that_are_none(tmp_path, shares, message):
    collection = read(write_mixed(tmp_path))
    with pytest.raises(UserError, match=message):
        collection.split(shares, 0)
