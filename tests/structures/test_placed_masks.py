import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmdet.structures import RLEMasks
from mmdet.structures.placed_masks import place


@pytest.mark.parametrize(
    ('size', 'corner'),
    [
        ((50, 60), (10, 20)),  # amid the image
        ((30, 60), (10, 0)),  # from its top to its bottom, where runs go on in the next column
        ((50, 40), (20, 20)),  # at its end
        ((30, 20), (0, 0)),  # all of it
    ],
)
@pytest.mark.parametrize('density', [0, 0.5, 0.95, 1])
def test_masks_are_where_the_part_is(size, corner, density):
    """In the very form that pycocotools writes."""
    bitmaps = (np.random.rand(2, 30, 20) < density).astype(np.uint8)
    x, y = corner
    expected = np.zeros((2, *size), np.uint8)
    expected[:, y : y + 30, x : x + 20] = bitmaps
    masks = place(RLEMasks([_encode(each) for each in bitmaps], 30, 20), corner, size)
    assert (masks.height, masks.width) == size
    assert masks.rles == [_encode(each) for each in expected]


def _encode(bitmap: np.ndarray) -> dict:
    return coco_mask.encode(np.asfortranarray(bitmap))


def test_of_no_masks_there_are_none():
    masks = place(RLEMasks([], 30, 20), (5, 5), (100, 100))
    assert masks.to_ndarray().shape == (0, 100, 100)
