"""Predictions in other programs' words, read back in the way that those programs read them."""

import base64
import json
import sys
import tracemalloc

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmdet.apis import Prediction
from mmdet.datasets.shapes_image import CLASSES, draw_image
from mmdet.errors import UserError
from mmdet.structures import RLEMasks
from tests.samples import rectangle


def prediction_of(
    masks: np.ndarray, labels: list[int], image: np.ndarray | None = None, **more: object
) -> Prediction:
    shape = masks.shape[1:]
    rles = RLEMasks([coco_mask.encode(np.asfortranarray(mask)) for mask in masks], *shape)
    instances = InstanceData(
        scores=torch.linspace(0.9, 0.5, len(masks)),
        labels=torch.tensor(labels, dtype=torch.long),
        bboxes=torch.from_numpy(rles.get_bboxes()),
        masks=rles,
    )
    image = np.zeros((*shape, 3), np.uint8) if image is None else image
    return Prediction(image=image, instances=instances, classes=CLASSES, **more)


@pytest.fixture(scope='module')
def shapes() -> Prediction:
    """An image of the embedded data set, as if everything in it had been found."""
    for seed in range(40):
        image, labels, masks = draw_image(np.random.default_rng(seed))
        upright = image.shape[0] > image.shape[1]
        if upright and CLASSES.index('ring') in labels and masks.sum((1, 2)).min() > 400:
            return prediction_of(masks.astype(np.uint8), labels, image, path='val/000000000139.jpg')
    raise AssertionError('no image with a ring')


@pytest.fixture
def nothing() -> Prediction:
    return prediction_of(np.zeros((0, 40, 60), np.uint8), [])


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return np.count_nonzero(first & second) / np.count_nonzero(first | second)


def filled(polygons: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """As Ultralytics and supervision do it: OpenCV, fractions cut off."""
    canvas = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(canvas, [polygon.astype(np.int32)], 1)
    return canvas.astype(bool)


# --- the picture --------------------------------------------------------------------------------


def test_memory_to_draw_does_not_grow_with_instances():
    mask = np.zeros((1000, 1000), np.uint8)
    mask[200:400, 100:700] = 1
    many = prediction_of(np.broadcast_to(mask, (60, 1000, 1000)), [0] * 60)
    tracemalloc.start()
    many.plot(boxes=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6  # all of the masks have 60 MB


def test_saving(shapes, tmp_path):
    shapes.save(tmp_path / 'new' / 'a.png')
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'new' / 'a.png')), shapes.plot())
    for name in ('a.txt', 'a'):
        with pytest.raises(UserError, match='ending in'):
            shapes.save(tmp_path / name)
    (tmp_path / 'b.png').mkdir()
    with pytest.raises(OSError):
        shapes.save(tmp_path / 'b.png')


def test_printing_says_what_is_where(shapes, nothing):
    names = [f'{name} {score:.2f}' for name, score in zip(shapes.names, shapes.scores, strict=True)]
    assert repr(shapes) == f"<Prediction 'val/000000000139.jpg', {', '.join(names)}>"
    assert repr(nothing) == '<Prediction nothing>'
    masks = np.ones((12, 4, 4), np.uint8)
    frame = prediction_of(masks, [1] * 12, path='a.mp4', frame=3)
    assert repr(frame).startswith("<Prediction 'a.mp4', frame 3, triangle 0.90, triangle 0.86, ")
    assert repr(frame).endswith(', 2 more>')


# --- polygons -----------------------------------------------------------------------------------


def test_how_it_is_drawn():
    mask = np.zeros((1, 100, 100), np.uint8)
    mask[0, 10:90, 10:90] = np.tri(80)  # its box has a corner where it has no pixel
    found = prediction_of(mask, [0], palette=[(0, 0, 255)] * len(CLASSES))
    assert not found.plot(alpha=0)[80, 20].any()
    assert found.plot(alpha=1)[80, 20].tolist() == [255, 0, 0]
    assert not found.plot()[10, 89].any()
    assert found.plot(boxes=True)[10, 89].tolist() == [255, 0, 0]


def test_polygons_have_the_parts_and_the_holes():
    split = rectangle(40, 60, (3, 2, 20, 30)) | rectangle(40, 60, (30, 5, 50, 35))
    frame = rectangle(40, 60, (10, 10, 40, 30)) - rectangle(40, 60, (20, 15, 30, 25))
    found = prediction_of(np.stack([split, frame, np.zeros_like(split)]), [0, 1, 2])
    assert [len(parts) for parts in found.polygons] == [2, 1, 0]
    for parts, mask in zip(found.polygons, (split, frame), strict=False):
        assert all(part.dtype == np.float32 and part.shape[1] == 2 for part in parts)
        assert iou(filled(parts, mask.shape), mask) > 0.95
        rles = coco_mask.frPyObjects([part.ravel().tolist() for part in parts], *mask.shape)
        np.testing.assert_array_equal(coco_mask.decode(coco_mask.merge(rles)), mask)


# --- COCO ---------------------------------------------------------------------------------------


def test_coco_has_exactly_the_masks(shapes):
    results = json.loads(json.dumps(shapes.to_coco()))
    assert len(results) == len(shapes)
    for result, mask, box, label, score in zip(
        results, shapes.masks, shapes.boxes, shapes.labels, shapes.scores, strict=True
    ):
        np.testing.assert_array_equal(coco_mask.decode(result['segmentation']), mask)
        x, y, width, height = result['bbox']
        assert [x, y, x + width, y + height] == box.tolist()
        assert result['area'] == mask.sum()
        assert result['category_id'] == label + 1
        assert result['score'] == pytest.approx(score)
        assert result['image_id'] == 139


def test_ids_of_coco():
    mask = rectangle(20, 30, (3, 2, 9, 7))[None]
    ids = list(range(10, 10 + len(CLASSES)))
    (result,) = prediction_of(mask, [2]).to_coco(image_id='a', category_ids=ids)
    assert (result['image_id'], result['category_id']) == ('a', 12)
    (result,) = prediction_of(mask, [2], path='some/street.png').to_coco()
    assert (result['image_id'], result['category_id']) == ('street', 3)
    (result,) = prediction_of(mask, [2], path='7.mp4', frame=5).to_coco()
    assert result['image_id'] == 5


# --- YOLO ---------------------------------------------------------------------------------------


def test_yolo_lines_give_the_masks_back(shapes):
    lines = shapes.to_yolo()
    assert len(lines) == len(shapes)
    height, width = shapes.image.shape[:2]
    for line, label, mask in zip(lines, shapes.labels, shapes.masks, strict=True):
        first, *numbers = line.split()
        assert int(first) == label
        points = np.array(numbers, float).reshape(-1, 2)
        assert points.min() >= 0 and points.max() <= 1
        assert iou(filled([points * (width, height)], mask.shape), mask) >= 0.99


def test_yolo_joins_what_lies_apart():
    split = rectangle(200, 200, (10, 10, 90, 90)) | rectangle(200, 200, (110, 100, 190, 190))
    (line,) = prediction_of(split[None], [4]).to_yolo()
    points = np.array(line.split()[1:], float).reshape(-1, 2) * 200
    assert iou(filled([points], split.shape), split) >= 0.99  # but for a thin line


# --- labelme ------------------------------------------------------------------------------------


def test_labelme_gives_the_masks_back(shapes):
    content = json.loads(json.dumps(shapes.to_labelme()))
    assert content['imagePath'] == '000000000139.jpg' and content['imageData'] is None
    assert (content['imageHeight'], content['imageWidth']) == shapes.image.shape[:2]
    for index, (name, mask) in enumerate(zip(shapes.names, shapes.masks, strict=True)):
        parts = [shape for shape in content['shapes'] if shape['group_id'] == index]
        assert {(part['label'], part['shape_type']) for part in parts} == {(name, 'polygon')}
        points = [np.array(part['points']) for part in parts]
        assert iou(filled(points, mask.shape), mask) >= 0.99


def test_labelme_groups_the_parts_of_an_instance():
    split = rectangle(40, 60, (3, 2, 20, 30)) | rectangle(40, 60, (30, 5, 50, 35))
    content = prediction_of(np.stack([split, split]), [0, 1]).to_labelme()
    assert [shape['group_id'] for shape in content['shapes']] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    'source', [dict(), dict(path='film.mp4', frame=3), dict(path='http://example.org/a.jpg')]
)
def test_labelme_holds_a_picture_that_is_no_file(source):
    image = np.random.randint(0, 256, (20, 30, 3), np.uint8)
    found = prediction_of(rectangle(20, 30, (3, 2, 9, 7))[None], [2], image, **source)
    data = base64.b64decode(found.to_labelme()['imageData'])
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), 1), image)


# --- supervision --------------------------------------------------------------------------------


def test_supervision(shapes):
    pytest.importorskip('supervision')
    found = shapes.to_supervision()
    np.testing.assert_array_equal(found.mask, shapes.masks)
    np.testing.assert_array_equal(found.xyxy, shapes.boxes)
    assert found.data['class_name'].tolist() == shapes.names
    ring = found[found.data['class_name'] == 'ring']
    assert (ring.class_id == CLASSES.index('ring')).all() and len(ring)


def test_a_missing_supervision_is_named(shapes, monkeypatch):
    monkeypatch.setitem(sys.modules, 'supervision', None)
    with pytest.raises(UserError, match=r"pip install 'mmdet-solo\[supervision\]'"):
        shapes.to_supervision()


# --- nothing found ------------------------------------------------------------------------------


def test_nothing_has_the_right_types(nothing):
    assert nothing.polygons == [] and nothing.to_coco() == [] and nothing.to_yolo() == []
    content = nothing.to_labelme()
    assert content['shapes'] == [] and content['imageHeight'] == 40
    assert nothing.masks.shape == (0, 40, 60) and nothing.masks.dtype == bool
    assert nothing.boxes.shape == (0, 4)
    assert nothing.plot().shape == (40, 60, 3)


def test_nothing_for_supervision(nothing):
    supervision = pytest.importorskip('supervision')
    found = nothing.to_supervision()
    assert len(found) == 0 and found.mask.shape == (0, 40, 60)
    assert len(supervision.Detections.merge([found, found])) == 0


def test_an_empty_mask_is_left_out_where_a_format_cannot_hold_it():
    masks = np.stack([np.zeros((20, 30), np.uint8), rectangle(20, 30, (3, 2, 9, 7))])
    found = prediction_of(masks, [0, 1])
    assert len(found.to_coco()) == 2
    assert [line.split()[0] for line in found.to_yolo()] == ['1']
    assert [shape['group_id'] for shape in found.to_labelme()['shapes']] == [1]
