import base64
import json
from collections import defaultdict

import cv2
import numpy as np

from mmdet.datasets.conversion.to_coco import write_coco
from mmdet.datasets.conversion.to_labelme import write_labelme
from mmdet.datasets.findings import LEFT_OUT
from mmdet.structures.segmentation import decode_segmentation

from .mixed import CLASSES, HEIGHT, OBJECTS, WIDTH, assert_same, masks, read, write_mixed


def written(tmp_path, **settings):
    collection = read(write_mixed(tmp_path / 'in', **settings))
    (tmp_path / 'out').mkdir()
    return collection, write_labelme(collection, tmp_path / 'out', link=False)


def drawn(shape: dict) -> np.ndarray:
    """As labelme does it."""
    if shape['shape_type'] == 'polygon':
        return decode_segmentation([np.array(shape['points']).ravel().tolist()], HEIGHT, WIDTH)
    (x1, y1), (x2, y2) = np.array(shape['points']).astype(int)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    png = np.frombuffer(base64.b64decode(shape['mask']), np.uint8)
    mask[y1 : y2 + 1, x1 : x2 + 1] = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    return mask


def test_the_masks_stay(tmp_path):
    collection, _ = written(tmp_path)
    shapes = json.loads((tmp_path / 'out/train/a.json').read_text())['shapes']
    objects = defaultdict(list)
    for number, shape in enumerate(shapes):
        group = shape['group_id']
        objects[('alone', number) if group is None else (shape['label'], group)].append(shape)
    found = [
        (parts[0]['label'], np.bitwise_or.reduce([drawn(part) for part in parts]))
        for parts in objects.values()
    ]
    assert_same(masks(collection), found)


def test_our_reader_reads_the_same(tmp_path):
    """Polygons exactly, though a part be overlapped by another, or reach out of the image."""
    collection, _ = written(tmp_path)
    again = read(tmp_path / 'out')
    assert again.classes == collection.classes
    assert_same(masks(collection), masks(again))


def test_there_and_back_changes_nothing(tmp_path):
    """labelme's shapes are exactly the same after COCO's format in between."""
    written(tmp_path)
    (tmp_path / 'coco').mkdir()
    write_coco(read(tmp_path / 'out'), tmp_path / 'coco', link=False)
    (tmp_path / 'again').mkdir()
    write_labelme(read(tmp_path / 'coco'), tmp_path / 'again', link=False)
    for name in ('labels.txt', 'train/a.json', 'train/b.json', 'train/a.png'):
        assert (tmp_path / 'again' / name).read_bytes() == (tmp_path / 'out' / name).read_bytes()


def test_polygons_stay_polygons(tmp_path):
    _, findings = written(tmp_path)
    shapes = json.loads((tmp_path / 'out/train/a.json').read_text())['shapes']
    first, tiny, *parts = shapes[:5]
    assert [shape['shape_type'] for shape in (first, tiny, *parts)] == ['polygon'] * 5
    assert np.ravel(first['points']).tolist() == OBJECTS['plain'][1][0]
    assert [np.ravel(part['points']).tolist() for part in parts] == OBJECTS['parts'][1]
    assert first['group_id'] is None
    assert {part['group_id'] for part in parts} == {2}
    kinds = [shape['shape_type'] for shape in shapes]
    assert kinds.count('mask') == 1
    assert '2 masks of pixels, traced (first: annotation 17 of image 5)' in findings.summary()
    assert findings.count(LEFT_OUT) == 1
    assert '1 crowds, which the format cannot hold (first: annotation 19' in findings.summary()


def test_its_files_are_labelmes(tmp_path):
    written(tmp_path, names=('x/a.png', 'b.png'))
    assert (tmp_path / 'out/labels.txt').read_text().splitlines() == list(CLASSES)
    content = json.loads((tmp_path / 'out/train/x/a.json').read_text())
    assert (content['imageHeight'], content['imageWidth']) == (HEIGHT, WIDTH)
    assert (tmp_path / 'out/train/x' / content['imagePath']).is_file()
    assert json.loads((tmp_path / 'out/train/b.json').read_text())['shapes'] == []
