"""Masks as run lengths do what bitmaps do, and draw no more than what is asked for."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmdet.structures import BitmapMasks, PackedMasks, coded_masks
from mmdet.structures.coded_masks import CodedMasks, masks_of
from mmdet.structures.segmentation import decode_segmentation

HEIGHT, WIDTH = 20, 29
SEGMENTATIONS = [
    [[1.0, 1.0, 9.0, 1.0, 9.0, 12.0]],
    dict(size=[HEIGHT, WIDTH], counts=[25, 7, 40, 11, HEIGHT * WIDTH - 83]),
    None,
    [[-3.0, 5.0, 40.0, 5.0, 40.0, 25.0, 3.0, 18.0], [0.0, 0.0, 4.0, 0.0, 4.0, 4.0]],
    dict(size=[HEIGHT, WIDTH], counts=[0, HEIGHT * WIDTH]),
]


@pytest.fixture
def coded() -> CodedMasks:
    return masks_of(SEGMENTATIONS, HEIGHT, WIDTH)


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
    rows, columns = np.mgrid[: expected.height, : expected.width]
    moments = [[mask.sum(), (mask * rows).sum(), (mask * columns).sum()] for mask in expected.masks]
    for each in (masks, expected, masks.pack(), expected.pack()):
        np.testing.assert_array_equal(each.moments(), np.reshape(moments, (-1, 3)))
    for packed in (masks.pack(), expected.pack()):
        assert (packed.height, packed.width) == (expected.height, expected.width)
        np.testing.assert_array_equal(packed.to_ndarray(), expected.masks)


CHANGES = {
    'nothing': lambda masks: masks,
    'larger': lambda masks: masks.resize((33, 50)),
    'smaller': lambda masks: masks.resize((7, 11)),
    'horizontal': lambda masks: masks.flip('horizontal'),
    'vertical': lambda masks: masks.flip('vertical'),
    'diagonal': lambda masks: masks.flip('diagonal'),
    'crop': lambda masks: masks.crop((3, 2, 20, 15)),
    'pad': lambda masks: masks.pad((32, 32)),
    'chosen': lambda masks: masks[np.array([True, False, False, True, True])],
    'by number': lambda masks: masks[np.array([3, 0])],
    'none': lambda masks: masks[:0],
    'several': lambda masks: masks.pad((40, 40)).flip().crop((5, 0, 40, 30)).resize((64, 64)),
    'padded twice': lambda masks: masks.pad((24, 40)).flip('diagonal').pad((31, 47)),
    'joined': lambda masks: BitmapMasks.cat([masks, masks[1:]]),
}


@pytest.mark.parametrize('change', CHANGES)
def test_it_does_what_bitmaps_do(coded, bitmaps, change):
    assert_same(CHANGES[change](coded), CHANGES[change](bitmaps))


def test_no_masks_join_others(coded, bitmaps):
    joined = PackedMasks.cat([coded[:0].pack(), coded.pack()])
    np.testing.assert_array_equal(joined.to_ndarray(), bitmaps.masks)


def test_rows_and_columns_are_those_of_opencv():
    """Which it takes hangs on how it rounds, for each pair of sizes by itself."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        sizes = rng.integers(1, 300, (3, 2))
        noise = (rng.random((2, *sizes[0])) < 0.5).astype(np.uint8)
        rles = coco_mask.encode(np.asfortranarray(noise.transpose(1, 2, 0)))
        plain, masks = BitmapMasks(noise, *sizes[0]), CodedMasks(rles, *sizes[0])
        for size in sizes[1:].tolist():
            plain, masks = plain.resize(tuple(size)).flip(), masks.resize(tuple(size)).flip()
            np.testing.assert_array_equal(masks.pack().to_ndarray(), plain.masks)


def test_a_mask_is_drawn_once_and_only_if_it_is_kept(coded, monkeypatch):
    drawn: list[dict] = []
    draw_columns = coded_masks.draw_columns

    def draw(rle: dict) -> tuple[int, np.ndarray]:
        drawn.append(rle)
        return draw_columns(rle)

    monkeypatch.setattr(coded_masks, 'draw_columns', draw)
    moved = coded.resize((50, 60)).flip().crop((5, 5, 40, 40)).pad((64, 64))
    kept = moved[np.array([0, 3])]
    assert kept.areas.sum() == kept.moments()[:, 0].sum() > 0
    assert not drawn
    kept.pack()
    assert drawn == [coded.rles[0], coded.rles[3]]


def test_the_size_of_an_image_costs_nothing_around_its_masks():
    polygon = [[1000.0, 2000.0, 1012.0, 2000.0, 1012.0, 2020.0, 1000.0, 2020.0]]
    masks = masks_of([polygon] * 100, 20_000, 30_000)
    packed = masks.resize((2000, 3000)).pack()
    assert packed.bits.numel() <= 100 * 2 * 2
    assert packed[:1].to_tensor().sum() == 4


def test_what_is_written_into_the_bitmaps_is_not_lost_in_silence(coded):
    with pytest.raises(ValueError, match='read-only'):
        coded.masks[0] = 0


def test_masks_of_another_image_are_refused():
    rle = dict(size=[WIDTH, HEIGHT], counts=[HEIGHT * WIDTH])
    with pytest.raises(ValueError, match='in an image of'):
        masks_of([coco_mask.frPyObjects(rle, WIDTH, HEIGHT)], HEIGHT, WIDTH)


@pytest.mark.parametrize('corner', [(0, 0), (3, 5), (-4, -2), (-40, 0), (40, 3), (0, 50)])
@pytest.mark.parametrize('shape', [(30, 40), (9, 45)])
def test_they_are_placed_as_bitmaps(corner, shape):
    coded = masks_of(SEGMENTATIONS, HEIGHT, WIDTH)
    bitmaps = BitmapMasks(coded.masks, HEIGHT, WIDTH).place(corner, shape).resize((25, 31))
    placed = coded.place(corner, shape).resize((25, 31))
    assert isinstance(placed, CodedMasks)
    np.testing.assert_array_equal(placed.masks, bitmaps.masks)
    np.testing.assert_array_equal(placed.get_bboxes(), bitmaps.get_bboxes())
    np.testing.assert_array_equal(placed.moments(), bitmaps.moments())
    np.testing.assert_array_equal(placed.pack().to_ndarray(), bitmaps.masks)
