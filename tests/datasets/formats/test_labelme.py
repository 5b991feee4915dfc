"""As labelme 5 writes it (https://github.com/wkentaro/labelme, labelme/label_file.py)."""

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image

from mmdet.cli.convert_data import main as convert_data
from mmdet.datasets import LabelmeDataset
from mmdet.datasets.formats.labelme_shapes import read_shape
from mmdet.errors import UserError
from mmdet.structures.segmentation import decode_segmentation

from .scene import CLASSES, SCENE, assert_is_scene, iou, write_pictures


def shape(label: str, points: object, kind: str = 'polygon', **changes: object) -> dict:
    return dict(
        label=label,
        points=points,
        group_id=None,
        description='',
        shape_type=kind,
        flags={},
        mask=None,
    ) | dict(changes)


def labelme_file(image: str, shapes: list, height: int | None, width: int | None) -> dict:
    return dict(
        version='5.5.0',
        flags={},
        shapes=shapes,
        imagePath=image,
        imageData=None,
        imageHeight=height,
        imageWidth=width,
    )


def write_labelme(folder: Path) -> None:
    """Write the scene: images, and JSON files beside them."""
    write_pictures(folder, '.jpg')
    for picture in SCENE:
        shapes = [shape(CLASSES[thing.label], thing.outline.tolist()) for thing in picture.things]
        content = labelme_file(f'{picture.name}.jpg', shapes, picture.height, picture.width)
        (folder / f'{picture.name}.json').write_text(json.dumps(content, indent=2))


@pytest.fixture
def root(tmp_path) -> Path:
    write_labelme(tmp_path / 'data')
    (tmp_path / 'labels.txt').write_text('__ignore__\n_background_\ncat\ndog\nold boat\n')
    return tmp_path


def opened(root: Path, **changes: object) -> LabelmeDataset:
    arguments = dict(data_root=str(root), ann_file='labels.txt', data_prefix=dict(img='data'))
    return LabelmeDataset(**arguments | changes)


def findings(monkeypatch, root: Path, **changes: object) -> tuple[LabelmeDataset, str]:
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'log', lambda _, text: said.append(text))
    return opened(root, **changes), '\n'.join(said)


def edit(root: Path, name: str = 'a', shapes: list | None = None, **changes: object) -> None:
    """Change fields of a file, and add shapes to it."""
    path = root / f'data/{name}.json'
    content = json.loads(path.read_text()) | changes
    content['shapes'] += shapes or []
    path.write_text(json.dumps(content))


def only(root: Path, *shapes: dict) -> list[np.ndarray]:
    """Return the masks of image c, 64 x 64, that has these shapes."""
    edit(root, 'c', list(shapes))
    dataset = opened(root)
    (item,) = [each for each in map(dataset.get_data_info, range(3)) if each['height'] == 64]
    return [decode_segmentation(each['mask'], 64, 64) for each in item['instances']]


def as_text(mask: np.ndarray) -> str:
    """Return a mask as labelme writes it: a PNG of 0 and 1 in one bit or eight, in base64."""
    _, png = cv2.imencode('.png', mask.astype(np.uint8))
    return base64.b64encode(png.tobytes()).decode()


def disc(radius: float) -> np.ndarray:
    """Return a disc around the middle of (64, 64) pixels."""
    y, x = np.mgrid[:64, :64] + 0.5
    return (np.hypot(x - 32, y - 32) <= radius).astype(np.uint8)


def test_it_is_the_scene(root, monkeypatch):
    dataset, said = findings(monkeypatch, root)
    assert_is_scene(dataset)
    assert said == ''


def test_without_labels_they_are_those_found_and_that_is_said(root, monkeypatch):
    dataset, said = findings(monkeypatch, root, ann_file='')
    assert_is_scene(dataset)
    assert "name them in ann_file='labels.txt'" in said and '(first: cat, dog, old boat)' in said


def test_classes_of_metainfo_need_not_all_be_there(root, monkeypatch):
    classes = ('horse', 'dog', 'cat')
    dataset, said = findings(monkeypatch, root, ann_file='', metainfo=dict(classes=classes))
    assert dataset.get_cat_ids(0) == [1, 2, 1] and dataset.get_cat_ids(1) == []
    assert said == ''


def test_windows_text(root):
    path = root / 'data/a.json'
    path.write_bytes(path.read_text().replace('\n', '\r\n').encode('utf-16'))
    (root / 'labels.txt').write_bytes(b'\xef\xbb\xbf__ignore__\r\ncat\r\ndog\r\nold boat\r\n')
    assert_is_scene(opened(root))


def test_a_rectangle_by_any_corners(root):
    (mask,) = only(root, shape('cat', [[40.0, 50.0], [10.0, 20.0]], 'rectangle'))
    assert mask.sum() == 900 and mask[20:50, 10:40].all()


def test_a_rectangle_of_four_points(root):
    points = [[10, 20], [40, 20], [40, 50], [10, 50]]
    masks = only(root, *(shape('cat', points, kind) for kind in ('rectangle', 'rotation')))
    assert [mask.sum() for mask in masks] == [900, 900]


def test_a_circle(root):
    (mask,) = only(root, shape('cat', [[32, 32], [20, 48]], 'circle'))
    assert iou(mask, disc(20)) > 0.98


@pytest.mark.parametrize('radius', [0.01, 0.8, 3, 20, 900])
def test_a_circles_sides_lie_close_to_it(radius):
    entry = shape('cat', [[10, 20], [10, 20 + radius]], 'circle')
    outline = np.reshape(read_shape(entry, 1, 64, 64).part, (-1, 2)) - (10, 20)
    np.testing.assert_allclose(np.hypot(*outline.T), radius)
    middles = np.hypot(*(outline + np.roll(outline, 1, 0)).T / 2)
    assert middles.min() > radius - 0.051


@pytest.mark.parametrize('mode', ['L', '1'])
def test_a_mask(root, mode, tmp_path):
    drawn = disc(20)
    drawn[30:34, 30:34] = 0  # a hole
    y, x = np.nonzero(drawn)
    points = [[x.min(), y.min()], [x.max(), y.max()]]
    inside = drawn[y.min() : y.max() + 1, x.min() : x.max() + 1]
    text = as_text(inside)
    if mode == '1':
        Image.fromarray(inside.astype(bool)).save(tmp_path / 'm.png')
        text = base64.b64encode((tmp_path / 'm.png').read_bytes()).decode()
    (mask,) = only(root, shape('cat', np.array(points, float).tolist(), 'mask', mask=text))
    assert (mask == drawn).all()


def test_a_mask_over_the_border(root):
    text = as_text(np.ones((10, 8)))
    first = shape('cat', [[-4.0, -5.0], [3.0, 4.0]], 'mask', mask=text)
    last = shape('cat', [[60.0, 58.0], [67.0, 67.0]], 'mask', mask=text)
    masks = only(root, first, last)
    assert masks[0].sum() == 20 and masks[0][:5, :4].all()
    assert masks[1].sum() == 24 and masks[1][58:, 60:].all()


def test_groups_are_one_object_of_each_label(root):
    square = [[5, 5], [15, 5], [15, 15], [5, 15]]
    other = [[40, 40], [50, 40], [50, 50], [40, 50]]
    box = [[10, 5], [20, 15]]
    masks = only(
        root,
        shape('cat', square, group_id=1),
        shape('dog', other, group_id=1),
        shape('cat', box, 'rectangle', group_id=1),
        shape('dog', [[40, 20], [47, 29]], 'mask', mask=as_text(np.ones((10, 8))), group_id=1),
        shape('cat', other, group_id=2),
    )
    assert [mask.sum() for mask in masks] == [150, 180, 100]
    assert masks[1][20:30, 40:48].all() and masks[1][40:50, 40:50].all()


@pytest.mark.parametrize(
    ('changes', 'why'),
    [
        (dict(shape_type='linestrip'), 'that are points or lines, which have no area'),
        (dict(shape_type='point', points=[[1, 2]]), 'that are points or lines, which have no area'),
        (dict(shape_type='cuboid'), "of an unknown shape_type, 'cuboid'"),
        (dict(points=[]), 'whose points are not all pairs of numbers'),
        (dict(points=[[1, 2], [3, 'x'], [5, 6]]), 'whose points are not all pairs of numbers'),
        (dict(points=[[1, 2], 3, [5, 6]]), 'whose points are not all pairs of numbers'),
        (
            dict(points=[[1, 2], [3, 4]]),
            'with polygons of fewer than three points, or half a point',
        ),
        (
            dict(shape_type='circle', points=[[0, 0], [1e300, 0]]),
            "whose polygons reach a whole image's size out of their image",
        ),
        (dict(shape_type='circle'), 'that are circles of other than two points'),
        (dict(shape_type='mask'), 'that are masks without a picture or a box'),
        (
            dict(shape_type='mask', points=[[1, 2], [3, 4]], mask='AAAA'),
            'that are masks whose picture cannot be read',
        ),
        (
            dict(shape_type='mask', points=[[1, 2], [3, 4]], mask=as_text(np.ones((4, 4)))),
            'that are masks whose picture has another size than their box',
        ),
        (
            dict(shape_type='mask', points=[[200, 2], [203, 5]], mask=as_text(np.ones((4, 4)))),
            'that are masks outside of their image',
        ),
        (dict(label='cow'), 'whose label is not in {root}/labels.txt'),
    ],
)
def test_a_shape_is_left_out_and_named(root, monkeypatch, changes, why):
    wrong = shape('dog', [[1, 2], [30, 4], [15, 16]]) | changes
    edit(root, shapes=[wrong])
    dataset, said = findings(monkeypatch, root)
    assert_is_scene(dataset)
    where = f'{root}/data/a.json, shape 4 ({wrong["label"]})'
    assert f'1 left out: 1 {why.format(root=root)} (first: {where})' in said


def test_a_wrong_part_of_a_group_is_said(root, monkeypatch):
    text = as_text(np.ones((3, 3)))
    parts = [
        shape('dog', [[40, 40], [42, 42]], 'mask', mask=text, group_id=7),
        shape('dog', [[1, 1]], 'point', group_id=7),
    ]
    edit(root, shapes=parts)
    dataset, said = findings(monkeypatch, root)
    assert dataset.get_cat_ids(0) == [1, 0, 1, 1]
    assert '1 left out: 1 that are points' in said
    edit(root, shapes=[shape('dog', [[1, 1], [2, 2]], group_id=7)])
    dataset, said = findings(monkeypatch, root)
    assert dataset.get_cat_ids(0) == [1, 0, 1]
    assert '1 with polygons of fewer than three points' in said


def test_what_is_no_object_is_said(root, monkeypatch):
    edit(root, shapes=[shape('__ignore__', [[1, 2], [30, 4], [15, 16]])])
    dataset, said = findings(monkeypatch, root, ann_file='', metainfo=dict(classes=CLASSES))
    assert_is_scene(dataset)
    what = '1 shapes labelled __ignore__ or _background_, which are no objects'
    assert said.endswith(f'1 to note: {what} (first: {root}/data/a.json, shape 4)')


@pytest.mark.parametrize(
    'path', ['..\\photos\\a.jpg', 'C:\\Users\\me\\a.jpg', '/home/me/a.jpg', '../elsewhere/a.jpg']
)
def test_a_path_of_another_machine(root, monkeypatch, path):
    edit(root, imagePath=path)
    dataset, said = findings(monkeypatch, root)
    assert_is_scene(dataset)
    assert (
        '1 repaired: 1 images named by a path of another place: taken from beside their JSON files '
        f'(first: {root}/data/a.json: {path})'
    ) in said


def test_a_path_that_leads_out_is_not_followed(root):
    (root / 'other').mkdir()
    (root / 'other/a.jpg').write_bytes((root / 'data/b.jpg').read_bytes())
    edit(root, imagePath='../other/a.jpg')
    within = dict(data_root=str(root / 'data'), data_prefix=dict(img=''))
    dataset = opened(root, ann_file=str(root / 'labels.txt'), **within)
    assert_is_scene(dataset)
    assert {Path(dataset.get_data_info(i)['img_path']).parent for i in range(3)} == {root / 'data'}


def test_images_in_another_folder(root, monkeypatch):
    (root / 'images').mkdir()
    for path in (root / 'data').glob('*.jpg'):
        path.rename(root / 'images' / path.name)
        edit(root, path.stem, imagePath=f'..\\images\\{path.name}')
    dataset, said = findings(monkeypatch, root)
    assert_is_scene(dataset)
    assert said == ''
    with pytest.raises(UserError, match='allow_outside_root=True'):
        opened(root, data_root='', ann_file='', data_prefix=dict(img=str(root / 'data')))


def embed(root: Path) -> None:
    """Let the JSON files have their images, as labelme writes them, and no others."""
    for path in sorted((root / 'data').glob('*.jpg')):
        edit(root, path.stem, imageData=base64.b64encode(path.read_bytes()).decode('ascii'))
        path.unlink()


def test_images_in_their_files_alone(root, monkeypatch):
    pipeline = [dict(type='LoadImageFromFile')]
    plain = [opened(root, pipeline=pipeline)[index]['img'] for index in range(3)]
    embed(root)
    assert findings(monkeypatch, root)[1] == ''
    dataset = opened(root, pipeline=pipeline, test_mode=True)
    assert_is_scene(dataset)
    dataset.check_image_files()
    for index, image in enumerate(plain):
        np.testing.assert_array_equal(dataset[index]['img'], image)
    edit(root, imageHeight=None)  # it is the image's own, then
    assert_is_scene(opened(root))


def test_an_image_in_its_file_stands_for_one_out_of_the_data_set(root):
    picture = (root / 'data/a.jpg').read_bytes()
    embed(root)
    (root / 'other').mkdir()
    (root / 'other/a.jpg').write_bytes(picture)
    edit(root, imagePath='../other/a.jpg')
    within = dict(data_root=str(root / 'data'), data_prefix=dict(img=''))
    dataset = opened(root, ann_file=str(root / 'labels.txt'), **within)
    assert_is_scene(dataset)
    assert dataset.get_data_info(0)['img_path'] == str(root / 'data/a.json')


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'cp1252'])
def test_an_image_in_a_file_of_another_encoding(root, encoding):
    embed(root)
    path = root / 'data/a.json'
    text = json.dumps(json.loads(path.read_text()) | dict(author='Größe'), ensure_ascii=False)
    path.write_text(text, encoding=encoding)
    pipeline = [dict(type='LoadImageFromFile')]
    assert opened(root, pipeline=pipeline, test_mode=True)[0]['img'].ndim == 3


@pytest.mark.parametrize('link', [False, True])
@pytest.mark.parametrize('kind', ['coco', 'yolo', 'labelme'])
def test_images_in_their_files_are_written_out(root, tmp_path, kind, link):
    pictures = {path.name: path.read_bytes() for path in (root / 'data').glob('*.jpg')}
    embed(root)
    convert_data([str(root / 'data'), '--to', kind, str(tmp_path / 'out'), *['--link'] * link])
    written = {path.name: path.read_bytes() for path in (tmp_path / 'out').rglob('*.jpg')}
    assert written == pictures


@pytest.mark.parametrize('data', ['/9j/4AAQ', 'a', 7, ['x']])
def test_an_image_in_its_file_that_is_broken(root, data):
    (root / 'data/a.jpg').unlink()
    edit(root, imageData=data)
    dataset = opened(root, test_mode=True, pipeline=[dict(type='LoadImageFromFile')])
    with pytest.raises(UserError, match=r'a\.json cannot be read: it'):
        dataset[0]


def test_an_image_that_is_missing(root, monkeypatch):
    (root / 'data/a.jpg').unlink()
    dataset, said = findings(monkeypatch, root)
    assert len(dataset) == 2
    assert "1 images with a file that names an image that does not exist, 'a.jpg'" in said
    with pytest.raises(UserError, match=r"a\.json names an image that does not exist, 'a\.jpg'"):
        opened(root, test_mode=True)


@pytest.mark.parametrize('height', [None, 0, 'x'])
def test_without_a_size_it_is_the_images(root, height):
    edit(root, imageHeight=height)
    assert_is_scene(opened(root))
    (root / 'data/a.jpg').write_bytes(b'no image')
    assert len(opened(root)) == 2
    with pytest.raises(UserError, match=r'a\.jpg cannot be read'):
        opened(root, test_mode=True)


def test_a_size_that_is_not_the_images(root):
    edit(root, imageHeight=160)
    pipeline = [dict(type='LoadImageFromFile')]
    with pytest.raises(UserError, match=r'is 120 x 80 pixels .* annotated as 120 x 160'):
        opened(root, pipeline=pipeline, test_mode=True)[0]


def test_a_photo_that_is_turned(root):
    """labelme turns a photo before it is drawn on."""
    stored = cv2.rotate(SCENE[0].pixels(), cv2.ROTATE_90_COUNTERCLOCKWISE)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(root / 'data/a.jpg', exif=exif)
    pipeline = [dict(type='LoadImageFromFile')]
    assert opened(root, pipeline=pipeline)[0]['img'].shape[:2] == (80, 120)


def test_other_files_are_said(root, monkeypatch):
    (root / 'data/coco.json').write_text('{"images": []}')
    (root / 'data/list.json').write_text('[]')
    write_pictures(root / 'data/more', '.png')
    dataset, said = findings(monkeypatch, root)
    assert_is_scene(dataset)
    assert f"2 JSON files that are not labelme's (first: {root}/data/coco.json)" in said
    assert f'3 images without a JSON file, which take no part (first: {root}/data/more/a' in said


def test_a_broken_file(root, monkeypatch):
    path = root / 'data/a.json'
    path.write_text(path.read_text()[:-40])
    dataset, said = findings(monkeypatch, root)
    assert len(dataset) == 2
    assert f'1 left out: 1 images with a file that is not JSON (first: {path})' in said
    with pytest.raises(UserError, match=r'a\.json is not JSON'):
        opened(root, test_mode=True)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(ann_file='none.txt'), 'none.txt does not exist'),
        (dict(ann_file='empty.txt'), 'empty.txt names no label'),
        (dict(data_prefix=dict(img='none')), 'folder .*/none of .* does not exist'),
        (dict(data_prefix=dict(img='empty')), "none of its 0 JSON files is labelme's"),
    ],
)
def test_what_is_wrong_is_named(root, changes, message):
    (root / 'empty').mkdir()
    (root / 'empty.txt').write_text('__ignore__\n')
    with pytest.raises(UserError, match=message):
        opened(root, **changes)


def test_parts(root):
    everything = dict(ann_file='labels.txt', data_prefix=dict(img=''))
    assert LabelmeDataset.find_parts(root) == dict(all=everything)
    (found,) = LabelmeDataset.find_parts(root).values()
    assert_is_scene(LabelmeDataset(data_root=str(root), **found))
    (root / 'data').rename(root / 'train')
    (root / 'labels.txt').unlink()
    train = dict(ann_file='', data_prefix=dict(img='train'))
    assert LabelmeDataset.find_parts(root) == dict(train=train)
    (root / 'none').mkdir()
    (root / 'none/a.json').write_text('{')
    assert LabelmeDataset.find_parts(root / 'none') == {}
