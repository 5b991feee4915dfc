import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmdet.structures.segmentation import decode_segmentation, draw_columns, encode_mask


def test_the_three_forms_of_a_segmentation_decode_alike():
    mask = np.zeros((10, 13), np.uint8)
    mask[2:7, 3:9] = 1
    compressed = coco_mask.encode(np.asfortranarray(mask))
    counts = [3 * 10 + 2]
    counts += [5, 5] * 5 + [5, 4 * 10 + 3]
    for segmentation in (
        [[3, 2, 9, 2, 9, 7, 3, 7]],
        dict(size=[10, 13], counts=counts),
        compressed,
    ):
        np.testing.assert_array_equal(decode_segmentation(segmentation, 10, 13), mask)


def test_a_rectangle_survives_the_round_trip_exactly():
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[3:11, 0:17] = 1
    polygons = encode_mask(mask)
    assert isinstance(polygons, list) and len(polygons) == 1
    np.testing.assert_array_equal(decode_segmentation(polygons, 20, 30), mask)


def test_a_split_mask_becomes_two_polygons():
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[3:11, 2:9] = mask[3:11, 15:28] = 1
    polygons = encode_mask(mask)
    assert isinstance(polygons, list) and len(polygons) == 2
    np.testing.assert_array_equal(decode_segmentation(polygons, 20, 30), mask)


@pytest.mark.parametrize('corner', [0, 1])
def test_a_mask_with_a_hole_becomes_run_lengths(corner):
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[corner:15, corner:15] = 1
    mask[5:8, 6:9] = 0
    segmentation = encode_mask(mask)
    assert segmentation['size'] == [20, 30]
    assert sum(segmentation['counts']) == mask.size
    np.testing.assert_array_equal(decode_segmentation(segmentation, 20, 30), mask)


def test_an_empty_mask_becomes_run_lengths():
    mask = np.zeros((20, 30), dtype=np.uint8)
    segmentation = encode_mask(mask)
    assert segmentation == dict(size=[20, 30], counts=[600])
    np.testing.assert_array_equal(decode_segmentation(segmentation, 20, 30), mask)


def test_columns_without_a_pixel_are_not_drawn():
    rng = np.random.default_rng(0)
    for _ in range(100):
        height, width = rng.integers(1, 40, 2)
        mask = (rng.random((height, width)) < rng.random()).astype(np.uint8)
        mask[:, : rng.integers(width + 1)] = 0
        mask[:, width - rng.integers(width + 1) :] = 0
        first, columns = draw_columns(coco_mask.encode(np.asfortranarray(mask)))
        filled = np.flatnonzero(mask.any(0))
        assert len(columns) == (filled[-1] + 1 - filled[0] if len(filled) else 0)
        assert first == (filled[0] if len(filled) else 0)
        np.testing.assert_array_equal(columns.T, mask[:, first : first + len(columns)])


@pytest.mark.parametrize(
    'counts',
    [[0, 6, 0, 6], [6, 0, 6], [6, 6, 0], [0, 0, 12], [3, 0, 0, 2, 7], [9, 3, 0, 0], [12, 0]],
)
def test_runs_may_be_empty(counts):
    rle = coco_mask.frPyObjects(dict(size=[3, 4], counts=counts), 3, 4)
    first, columns = draw_columns(rle)
    drawn = np.zeros((3, 4), np.uint8)
    drawn[:, first : first + len(columns)] = columns.T
    np.testing.assert_array_equal(drawn, coco_mask.decode(rle))
