"""The truth is what Pillow makes of a photo and its orientation."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmdet.datasets.conversion.upright import orientation, turned, turned_box
from mmdet.structures.segmentation import decode_segmentation

from .mixed import HEIGHT, RING, WIDTH, rle

LYING = 5, 6, 7, 8


def shown(mask: np.ndarray, how: int) -> np.ndarray:
    image = Image.fromarray(mask)
    image.getexif()[0x0112] = how
    return np.array(ImageOps.exif_transpose(image))


@pytest.mark.parametrize('how', LYING)
def test_masks_lie_as_the_photo_is_shown(how):
    polygon = [[3, 4, 31, 3, 20, 26], [50, 40, 70, 40, 70, 55, 50, 55]]
    for segmentation in (polygon, rle(RING)):
        wanted = shown(decode_segmentation(segmentation, HEIGHT, WIDTH), how)
        found = decode_segmentation(turned(segmentation, how, HEIGHT, WIDTH), WIDTH, HEIGHT)
        # Which of two equally near pixels a slanted edge takes depends on its direction.
        assert np.count_nonzero(found != wanted) <= (30 if segmentation is polygon else 0)


@pytest.mark.parametrize('how', LYING)
def test_boxes_lie_around_the_masks(how):
    (polygon,) = turned([[3, 4, 31, 3, 20, 26]], how, HEIGHT, WIDTH)
    x, y = polygon[::2], polygon[1::2]
    around = [min(x), min(y), max(x) - min(x), max(y) - min(y)]
    assert turned_box([3, 3, 28, 23], how, HEIGHT, WIDTH) == around


def test_orientation(tmp_path):
    image = Image.new('L', (4, 3))
    image.save(tmp_path / 'a.png')
    assert orientation(str(tmp_path / 'a.png')) == 1
    exif = Image.Exif()
    exif[0x0112] = 8
    image.save(tmp_path / 'a.jpg', exif=exif)
    assert orientation(str(tmp_path / 'a.jpg')) == 8
