"""What the first and last bytes tell of an image, and that reading has the last word."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet.datasets import image_header
from mmdet.datasets.image_file import UnusableImageError
from mmdet.datasets.image_header import ImageFile, check_image_files
from tests.faults.bad_images import BROKEN, ODD, encoded, rgb, saved, spoil

HEIGHT, WIDTH = 40, 60


@pytest.fixture
def path(tmp_path) -> Path:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.dstack([4 * x, 6 * y, 255 - 2 * (x + y)]).astype(np.uint8)
    (tmp_path / 'a.jpg').write_bytes(encoded(pixels))
    return tmp_path / 'a.jpg'


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The files that were read whole."""
    paths, reading = [], image_header.read_image
    monkeypatch.setattr(
        image_header,
        'read_image',
        lambda path, **kwargs: paths.append(path) or reading(path, **kwargs),
    )
    return paths


def check(path: Path, **settings: bool) -> UnusableImageError | None:
    (found,) = check_image_files([ImageFile(str(path), (HEIGHT, WIDTH))], **settings)
    return found


@pytest.mark.parametrize('kind', BROKEN)
def test_broken_ones_are_found(path, kind):
    spoil(path, kind)
    assert str(path) in str(check(path))


@pytest.mark.parametrize('kind', ODD)
def test_odd_ones_are_sound_without_being_read(path, kind, read):
    spoil(path, kind)
    assert check(path) is None
    assert not read


def test_a_picture_that_lies_may_be_annotated_so(path, read):
    exif = Image.Exif()
    exif[0x0112] = 6
    path.write_bytes(saved(rgb(cv2.imread(str(path))), exif=exif))
    assert check(path) is None
    assert not read


def test_what_pillow_cannot_read_is_read(path, read, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 10)
    assert check(path) is None
    assert read == [str(path)]


def test_bytes_behind_the_end(path, read):
    path.write_bytes(path.read_bytes() + b'SEFT' * 100)
    assert check(path) is None
    assert not read
    path.write_bytes(path.read_bytes() + bytes(10_000))
    assert check(path) is None
    assert read == [str(path)]


def test_what_is_broken_inside_is_found_by_decoding_alone(path):
    path = Path(shutil.copy(path, path.with_suffix('.png')))
    path.write_bytes(encoded(cv2.imread(str(path)), '.png'))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    assert check(path) is None
    assert 'cannot be read' in str(check(path, decode=True))


def test_many_come_in_their_order(path):
    missing = ImageFile('none.jpg', None)
    images = [missing if number % 7 == 0 else ImageFile(str(path), None) for number in range(1001)]
    found = [error is not None for error in check_image_files(images)]
    assert found == [number % 7 == 0 for number in range(1001)]
