import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmdet.datasets.segmentation_check import (
    UnusableMaskError,
    check_segmentation,
    compressed_counts,
)
from mmdet.structures.segmentation import decode_segmentation

HEIGHT, WIDTH = 40, 60
SQUARE = [10, 5, 30, 5, 30, 25, 10, 25]


def rle(counts: object, size: object = (HEIGHT, WIDTH)) -> dict:
    return dict(size=list(size), counts=counts)


@pytest.mark.parametrize(
    ('segmentation', 'extent'),
    [
        ([SQUARE], (10, 5, 30, 25)),
        ([SQUARE, [40, 1, 50.5, 1, 50.5, 9]], (10, 1, 50.5, 25)),
        ([[-5, -3, 70, -3, 70, 45]], (-5, -3, 70, 45)),  # over the border
        (rle([400, 30, 2400 - 430]), (10, 0, 11, 30)),
    ],
)
def test_masks_that_can_be_decoded_stay_as_they_are(segmentation, extent):
    checked = check_segmentation(segmentation, HEIGHT, WIDTH)
    assert checked.segmentation == segmentation
    assert checked.extent == extent
    assert checked.repair is None
    assert decode_segmentation(checked.segmentation, HEIGHT, WIDTH).any()


@pytest.mark.parametrize(
    ('segmentation', 'repair'),
    [
        (SQUARE, 'without their outer list'),
        ([SQUARE, [1, 1, 2, 2]], 'parts of fewer than three points'),
        ([[], SQUARE], 'parts of fewer than three points'),
        ([[1, 1, 9, 1, 9, 9, 1], SQUARE], 'half a point'),
    ],
)
def test_what_of_a_mask_can_be_decoded_is_kept(segmentation, repair):
    checked = check_segmentation(segmentation, HEIGHT, WIDTH)
    assert checked.segmentation == [SQUARE]
    assert checked.extent == (10, 5, 30, 25)
    assert repair in checked.repair


@pytest.mark.parametrize(
    ('segmentation', 'reason'),
    [
        (None, 'without a mask'),
        ([], 'without a mask'),
        ({}, 'without a mask'),
        ('', 'without a mask'),
        ([[]], 'fewer than three points'),
        ([[10, 10, 20, 20]], 'fewer than three points'),
        ([[10, 10, 20, 20, 30]], 'fewer than three points'),
        ([[10, 10, 20, 20, 30, 30, 5]], 'half a point'),
        ([[10, 10], [20, 10], [20, 20]], 'fewer than three points'),
        ([[[10, 10], [20, 10], [20, 20], [1, 1], [2, 2], [3, 3]]], 'not all numbers'),
        ([['10', '10', '20', '10', '20', '20']], 'not all numbers'),
        ([[10, 10, None, 10, 20, 20]], 'not all numbers'),
        ([None], 'not all numbers'),
        ([[10, 10, float('nan'), 10, 20, 20]], 'not all numbers'),
        ([[10, 10, float('inf'), 10, 20, 20]], 'not all numbers'),
        ([[10, 10, 10**400, 10, 20, 20]], 'not all numbers'),
        ([[10, 10, 1e9, 10, 20, 20]], "a whole image's size out"),
        ([[10, 10, 20, 10, 20, -1e9]], "a whole image's size out"),
        ([[70, 10, 80, 10, 80, 20]], 'outside of their image'),
        ([[-9, 10, -1, 10, -1, 20]], 'outside of their image'),
        ('polygon', 'neither polygons nor RLE'),
        (dict(points=[1, 2]), 'neither polygons nor RLE'),
        (7, 'neither polygons nor RLE'),
        (rle([400, 30, 1970], size=(WIDTH, HEIGHT)), 'another size'),
        (rle([400, 30, 1970], size=()), 'another size'),
        (dict(counts=[400, 30, 1970]), 'another size'),
        (rle([400, 30, 1971]), 'do not add up'),
        (rle([400, -30, 2030]), 'do not add up'),
        (rle([]), 'do not add up'),
        (rle([2400]), 'without a pixel'),
        (rle([400.5, 29.5, 1970]), 'no whole numbers'),
        (rle(['400', '30', '1970']), 'no whole numbers'),
        (rle(None), 'no whole numbers'),
        (rle(''), 'no string of COCO'),
        (rle('abc~'), 'no string of COCO'),
        (rle('é0'), 'no string of COCO'),
        (rle('P' * 40), 'no string of COCO'),
        (rle('PPPPPPPPPP0'), 'no string of COCO'),
        (rle('111'), 'do not add up'),
    ],
)
def test_masks_that_cannot_be_decoded_are_left_out_with_the_reason(segmentation, reason):
    with pytest.raises(UnusableMaskError, match=reason):
        check_segmentation(segmentation, HEIGHT, WIDTH)


def test_compressed_counts_are_pycocotools():
    rng = np.random.default_rng(0)
    for _ in range(50):
        height, width = rng.integers(1, 90, 2)
        mask = (rng.random((height, width)) < rng.random()).astype(np.uint8)
        pixels = mask.ravel(order='F').astype(int)
        changes = np.flatnonzero(np.diff(pixels, prepend=0))
        counts = np.diff(changes, prepend=0, append=pixels.size).tolist()
        text = coco_mask.encode(np.asfortranarray(mask))['counts'].decode()
        assert compressed_counts(text.encode()).tolist() == counts
        if mask.any():
            checked = check_segmentation(rle(text, mask.shape), height, width)
            assert (decode_segmentation(checked.segmentation, height, width) == mask).all()


def test_long_runs_need_several_digits():
    mask = np.zeros((3000, 4000), np.uint8)
    mask[:, 3000] = 1
    text = coco_mask.encode(np.asfortranarray(mask))['counts'].decode()
    assert compressed_counts(text.encode()).tolist() == [9_000_000, 3000, 999 * 3000]
