import numpy as np
import pytest

from mmdet.datasets.conversion.polygons import (
    MIN_IOU,
    has_hole,
    one_polygon,
    overlap,
    polygon_parts,
)

from .mixed import DISC, HEIGHT, OBJECTS, RING, WIDTH, bitmap, box, rle

SIZE = HEIGHT, WIDTH


@pytest.mark.parametrize('what', OBJECTS)
def test_one_polygon_is_all_of_a_mask(what):
    segmentation = OBJECTS[what][1]
    polygons = list(one_polygon(segmentation, *SIZE))
    assert max(overlap(segmentation, [each], *SIZE) for each in polygons) >= MIN_IOU
    for polygon in polygons:
        assert polygon.min() >= 0 and (polygon <= (WIDTH, HEIGHT)).all()


def test_masks_of_a_few_pixels():
    rng = np.random.default_rng(0)
    for _ in range(30):
        mask = np.zeros(SIZE, np.uint8)
        mask[10:16, 10:16] = rng.random((6, 6)) < 0.6
        polygons = one_polygon(rle(mask), *SIZE)
        assert max(overlap(rle(mask), [each], *SIZE) for each in polygons) >= MIN_IOU


def test_the_plainest_comes_first():
    first = next(one_polygon([box(2, 30, 12, 40)], *SIZE))
    assert first.tolist() == [[2, 30], [12, 30], [12, 40], [2, 40]]
    lengths = [len(polygon) for polygon in one_polygon(rle(DISC), *SIZE)]
    assert lengths == sorted(lengths) and lengths[0] < lengths[-1]


def test_a_mask_without_a_pixel_has_no_polygon():
    assert list(one_polygon(rle(np.zeros(SIZE)), *SIZE)) == []
    assert polygon_parts(rle(np.zeros(SIZE)), *SIZE) is None


def test_a_polygon_for_each_part():
    mask = rle(bitmap((0, 0, 9, 9)) | bitmap((20, 20, 29, 33)) | DISC)
    parts = polygon_parts(mask, *SIZE)
    assert len(parts) == 2  # the second box touches the disc
    assert overlap(mask, parts, *SIZE) >= MIN_IOU
    assert polygon_parts(rle(RING), *SIZE) is None
    pinhole = bitmap((0, 0, 60, 50), (20, 20, 21, 21))
    assert polygon_parts(rle(pinhole), *SIZE) is None


def test_holes():
    assert has_hole(rle(RING), *SIZE)
    assert not has_hole(rle(DISC), *SIZE)


def test_overlap():
    mask = rle(bitmap((0, 0, 10, 10)))
    half = np.array(box(0, 0, 10, 5)).reshape(-1, 2)
    assert overlap(mask, [half], *SIZE) == pytest.approx(0.5)
    lower = np.array(box(0, 5, 10, 10)).reshape(-1, 2)
    assert overlap(mask, [half, lower], *SIZE) == 1
    sliver = [[10.1, 10.1, 10.2, 10.1, 10.2, 10.2]]
    (part,) = one_polygon(sliver, *SIZE)
    assert overlap(sliver, [part], *SIZE) == 1
    assert overlap(mask, [part], *SIZE) == 0
