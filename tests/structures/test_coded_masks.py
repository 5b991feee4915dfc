"""Masks as run lengths do what bitmaps do, whichever of both a change leaves them as."""

import numpy as np
import pytest

from mmdet.structures import BitmapMasks, coded_masks
from mmdet.structures.coded_masks import CodedMasks, masks_of
from mmdet.structures.segmentation import decode_segmentation

HEIGHT, WIDTH = 20, 29
SEGMENTATIONS = [
    [[1.0, 1.0, 9.0, 1.0, 9.0, 12.0]],
    dict(size=[HEIGHT, WIDTH], counts=[25, 7, 40, 11, HEIGHT * WIDTH - 83]),
    None,
    [[-3.0, 5.0, 40.0, 5.0, 40.0, 25.0, 3.0, 18.0], [0.0, 0.0, 4.0, 0.0, 4.0, 4.0]],
]


@pytest.fixture
def bitmaps() -> BitmapMasks:
    nothing = np.zeros((HEIGHT, WIDTH), np.uint8)
    masks = [
        decode_segmentation(each, HEIGHT, WIDTH) if each else nothing for each in SEGMENTATIONS
    ]
    return BitmapMasks(masks, HEIGHT, WIDTH)


def assert_same(masks: BitmapMasks, expected: BitmapMasks) -> None:
    assert len(masks) == len(expected)
    assert (masks.height, masks.width) == (expected.height, expected.width)
    np.testing.assert_array_equal(masks.masks, expected.masks)
    np.testing.assert_array_equal(masks.areas, expected.areas)
    np.testing.assert_array_equal(masks.get_bboxes(), expected.get_bboxes())
    np.testing.assert_array_equal(masks.pack().bits, expected.pack().bits)


CHANGES = {
    'larger': lambda masks: masks.resize((33, 50)),
    'smaller': lambda masks: masks.resize((7, 11)),
    'horizontal': lambda masks: masks.flip('horizontal'),
    'vertical': lambda masks: masks.flip('vertical'),
    'diagonal': lambda masks: masks.flip('diagonal'),
    'crop': lambda masks: masks.crop((3, 2, 20, 15)),
    'pad': lambda masks: masks.pad((32, 32)),
    'chosen': lambda masks: masks[np.array([True, False, False, True])],
    'by number': lambda masks: masks[np.array([3, 0])],
    'none': lambda masks: masks[:0],
    'several': lambda masks: masks.pad((40, 40)).flip().crop((5, 0, 40, 30)).resize((64, 64)),
    'joined': lambda masks: BitmapMasks.cat([masks, masks[1:]]),
}


@pytest.mark.parametrize('change', CHANGES)
@pytest.mark.parametrize('limit', [0, 1500, 1 << 28])
def test_it_does_what_bitmaps_do(bitmaps, monkeypatch, change, limit):
    monkeypatch.setattr(coded_masks, 'MAX_PIXELS', 0)
    coded = masks_of(SEGMENTATIONS, HEIGHT, WIDTH)
    monkeypatch.setattr(coded_masks, 'MAX_PIXELS', limit)
    assert_same(CHANGES[change](coded), CHANGES[change](bitmaps))


def test_few_are_bitmaps(bitmaps, monkeypatch):
    masks = masks_of(SEGMENTATIONS, HEIGHT, WIDTH)
    assert type(masks) is BitmapMasks
    assert_same(masks, bitmaps)
    monkeypatch.setattr(coded_masks, 'MAX_PIXELS', 1500)
    many = masks_of(SEGMENTATIONS, HEIGHT, WIDTH)
    assert type(many) is CodedMasks
    assert type(many.resize((10, 10))) is BitmapMasks
    assert type(many.flip()) is CodedMasks
    assert_same(many, bitmaps)
