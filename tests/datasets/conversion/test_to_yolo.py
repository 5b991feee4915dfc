import cv2
import numpy as np
import yaml
from PIL import Image

from mmdet.datasets import YOLOSegDataset
from mmdet.datasets.conversion.to_coco import write_coco
from mmdet.datasets.conversion.to_yolo import write_yolo
from mmdet.datasets.findings import LEFT_OUT, NOTICED
from mmdet.structures.segmentation import decode_segmentation
from tests.datasets.formats.scene import iou

from .mixed import CLASSES, HEIGHT, OBJECTS, WIDTH, assert_same, masks, opened, read, write_mixed


def written(tmp_path, **settings):
    collection = read(write_mixed(tmp_path / 'in', **settings))
    (tmp_path / 'out').mkdir()
    return collection, write_yolo(collection, tmp_path / 'out', link=False)


def test_the_masks_stay(tmp_path):
    collection, _ = written(tmp_path)
    assert_same(masks(collection)[:-1], masks(read(tmp_path / 'out')))
    assert type(opened(tmp_path / 'out')['train']) is YOLOSegDataset


def test_what_it_cannot_hold_is_said(tmp_path):
    _, findings = written(tmp_path)
    assert findings.count(LEFT_OUT) == 2 and findings.count(NOTICED) == 5
    for said in (
        '1 crowds, which the format cannot hold (first: annotation 19 of image 5)',
        '1 that are the same as another one (first: annotation 20 of image 5)',
        '2 objects of several parts, joined by lines (first: annotation 13 of image 5)',
        '1 holes, cut open along a line (first: annotation 16 of image 5)',
        '2 masks of pixels, traced (first: annotation 17 of image 5)',
    ):
        assert said in findings.summary()


def test_its_files_are_ultralytics(tmp_path):
    written(tmp_path, names=('x/a.png', 'b.png'))
    text = (tmp_path / 'out/data.yaml').read_text()
    assert 'alte Möwe' in text
    settings = yaml.safe_load(text)
    assert settings == dict(train='images/train', names=dict(enumerate(CLASSES)))
    assert (tmp_path / 'out/labels/train/b.txt').read_text() == ''
    lines = (tmp_path / 'out/labels/train/x/a.txt').read_text().splitlines()
    assert len(lines) == len(OBJECTS) - 2
    for line in lines:
        label, *numbers = line.split()
        assert int(label) in range(3)
        # Ultralytics drops an image whose labels reach out of it.
        assert len(numbers) >= 6 and all(0 <= float(each) <= 1 for each in numbers)


def test_a_plain_polygon_stays_as_short_as_it_was(tmp_path):
    written(tmp_path)
    first, tiny, *_ = (tmp_path / 'out/labels/train/a.txt').read_text().splitlines()
    assert first == '0 0.04 0.0733333 0.3825 0.0466667 0.255 0.42'
    # Six digits of this one would be another mask.
    numbers = tiny.split()[1:]
    assert len(numbers) == 6 and max(map(len, numbers)) > 10


def test_a_mask_that_no_polygon_is(tmp_path, monkeypatch):
    monkeypatch.setattr('mmdet.datasets.conversion.polygons._TOLERANCES', (3.0,))
    collection, findings = written(tmp_path)
    said = '3 masks that are kept to an IoU below 0.99 (first: annotation 14 of image 5, 0.93)'
    assert said in findings.summary()
    names = [name for name, _ in masks(collection)[:-1]]
    assert names == [name for name, _ in masks(read(tmp_path / 'out'))]


def test_there_and_back_changes_nothing(tmp_path):
    """The polygons of YOLO's are exactly the same after COCO's format in between."""
    written(tmp_path)
    first = read(tmp_path / 'out')
    (tmp_path / 'coco').mkdir()
    write_coco(first, tmp_path / 'coco', link=False)
    assert 'mmdet' not in (tmp_path / 'coco/annotations/instances_train.json').read_text()
    (tmp_path / 'again').mkdir()
    write_yolo(read(tmp_path / 'coco'), tmp_path / 'again', link=False)
    for name in ('data.yaml', 'labels/train/a.txt', 'labels/train/b.txt', 'images/train/a.png'):
        assert (tmp_path / 'again' / name).read_bytes() == (tmp_path / 'out' / name).read_bytes()


def test_what_opencv_fills_is_the_mask(tmp_path):
    """As Ultralytics draws its labels: OpenCV, which draws the border's pixels, too."""
    collection, _ = written(tmp_path)
    lines = (tmp_path / 'out/labels/train/a.txt').read_text().splitlines()
    for line, (name, mask) in zip(lines, masks(collection)[:-1], strict=True):
        points = np.array(line.split()[1:], float).reshape(-1, 2) * (WIDTH, HEIGHT)
        drawn = cv2.fillPoly(np.zeros((HEIGHT, WIDTH), np.uint8), [points.astype(np.int32)], 1)
        thick = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        thin = cv2.erode(mask, np.ones((3, 3), np.uint8))
        assert not (thin & ~drawn).any(), name
        # But for the lines that join the parts.
        assert np.count_nonzero(drawn & ~thick & 1) < 60, name


def test_an_image_that_no_reader_would_find(tmp_path):
    write_mixed(tmp_path / 'in')
    (tmp_path / 'in/images/b.png').rename(tmp_path / 'in/images/b')
    path = tmp_path / 'in/result.json'
    path.write_text(path.read_text().replace('b.png', 'b'))
    (tmp_path / 'out').mkdir()
    findings = write_yolo(read(tmp_path / 'in'), tmp_path / 'out', link=False)
    assert '1 images whose ending says no format' in findings.summary()
    assert f'(first: {tmp_path}/in/images/b)' in findings.summary()
    written = [path.name for path in (tmp_path / 'out').rglob('?.*')]
    assert sorted(written) == ['a.png', 'a.txt']


def test_a_photo_annotated_as_it_is_stored(tmp_path):
    """YOLO's readers see it turned, and the masks lie on its objects."""
    write_mixed(tmp_path / 'in', names=('a.jpg', 'b.jpg'))
    mask = decode_segmentation(OBJECTS['plain'][1], HEIGHT, WIDTH)
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(mask * 255).save(tmp_path / 'in/images/a.jpg', exif=exif, quality=95)
    (tmp_path / 'out').mkdir()
    write_yolo(read(tmp_path / 'in'), tmp_path / 'out', link=False)
    dataset = YOLOSegDataset(
        'data.yaml',
        data_root=str(tmp_path / 'out'),
        data_prefix=dict(img='images/train'),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_mask=True)],
    )
    sample = dataset[0]
    assert sample['img'].shape == (WIDTH, HEIGHT, 3)
    found = sample['gt_masks'].pack().to_tensor().numpy()[0]
    assert iou(found > 0, sample['img'][..., 0] > 127) >= 0.95
