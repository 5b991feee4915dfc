import numpy as np
from pycocotools import mask as coco_mask

from mmdet.structures.outlines import join, trace
from tests.samples import rectangle


def area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def test_a_part_comes_with_its_holes():
    frame = rectangle(40, 60, (10, 10, 40, 30)) - rectangle(40, 60, (20, 15, 30, 25))
    both = frame | rectangle(40, 60, (45, 2, 50, 9))
    parts = trace(both, tolerance=0.25)
    assert sorted(map(len, parts)) == [1, 2]
    outline, hole = max(parts, key=len)
    assert outline.min(0).round().tolist() == [10, 10]
    assert hole.min(0).round().tolist() == [20, 15]


def test_parts_of_a_hole():
    ring = rectangle(50, 50, (0, 0, 50, 50)) - rectangle(50, 50, (10, 10, 40, 40))
    island = rectangle(50, 50, (20, 20, 30, 30))
    assert sorted(map(len, trace(ring | island, tolerance=0.5))) == [1, 2]


def test_no_part_is_too_small():
    mask = np.zeros((9, 9), bool)
    mask[1, 1] = mask[4, 4] = mask[8, 3:8] = True
    polygons = [outline for (outline,) in trace(mask, tolerance=2)]
    assert len(polygons) == 3 and all(len(polygon) >= 3 for polygon in polygons)
    rles = coco_mask.frPyObjects([polygon.ravel().tolist() for polygon in polygons], 9, 9)
    np.testing.assert_array_equal(coco_mask.decode(coco_mask.merge(rles)), mask)


def test_nothing_has_no_outline():
    assert trace(np.zeros((9, 9), bool), tolerance=0.5) == []


def test_a_tolerance_saves_points():
    y, x = np.mgrid[:100, :100]
    disc = (x - 50) ** 2 + (y - 50) ** 2 < 40**2
    points = [len(trace(disc, tolerance=tolerance)[0][0]) for tolerance in (0.25, 0.5, 1)]
    assert points[0] > points[1] > points[2] > 8


def test_joined_outlines_cut_holes_out():
    square = np.array([[0, 0], [0, 10], [10, 10], [10, 0]], float)
    first, second = square[::-1] / 5 + (1, 1), square[::-1] / 5 + (5, 6)
    joined = join([square, second, first])
    assert area(joined) == 100 - 4 - 4
    assert {*map(tuple, joined)} == {*map(tuple, np.concatenate((square, first, second)))}


def test_joining_one_changes_nothing():
    square = np.array([[0, 0], [0, 10], [10, 10], [10, 0]], float)
    np.testing.assert_array_equal(join([square]), square)
