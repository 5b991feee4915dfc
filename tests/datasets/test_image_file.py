"""Images as cameras and other programs write them: turned by EXIF, grey, deep, CMYK."""

import logging

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image
from torch.utils.data import DataLoader

from mmdet.datasets import image_file
from mmdet.datasets.image_file import UnreadableError, _say_unturned, read_image
from mmdet.errors import UserError, exit_on_user_error
from tests.datasets.transforms.results import apply

HEIGHT, WIDTH = 40, 60
# What turns the stored picture into the seen one, by EXIF orientation.
TURNS = {1: 0, 3: 2, 6: 3, 8: 1}


@pytest.fixture
def picture() -> np.ndarray:
    """(40, 60, 3) BGR, smooth enough for JPEG, and different in its four corners."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.dstack([4 * x, 6 * y, 255 - 2 * (x + y)]).astype(np.uint8)


@pytest.fixture
def save(tmp_path):
    """Write an image with Pillow, perhaps with an EXIF orientation, and return its path."""

    def write(image: Image.Image, name: str, orientation: int | None = None, **kwargs) -> str:
        exif = Image.Exif()
        if orientation:
            exif[0x0112] = orientation
        path = tmp_path / name
        image.save(path, exif=exif, **kwargs)
        return str(path)

    return write


def from_bgr(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture[..., ::-1]))


def assert_alike(image: np.ndarray, expected: np.ndarray, tolerance: float = 3) -> None:
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < tolerance


@pytest.mark.parametrize('size', [(HEIGHT, WIDTH), (WIDTH, HEIGHT)])
def test_a_file_is_read_once(picture, save, monkeypatch, size):
    """Also where it is decoded a second time, as it is stored."""
    reads: list[str] = []
    read_bytes = image_file.read_bytes

    def read(path: str, backend_args: dict | None) -> bytes:
        reads.append(path)
        return read_bytes(path, backend_args)

    monkeypatch.setattr(image_file, 'read_bytes', read)
    path = save(from_bgr(picture), 'phone.jpg', orientation=6)
    assert read_image(path, size=size).shape[:2] == size
    assert reads == [path]


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp'])
@pytest.mark.parametrize('orientation', [6, 8])
def test_the_annotated_size_says_whether_to_turn(picture, save, orientation, suffix, backend):
    path = save(from_bgr(picture), f'phone{suffix}', orientation, quality=95)
    turned = np.rot90(picture, TURNS[orientation])
    read = {'imdecode_backend': backend}
    assert_alike(read_image(path, **read), turned, 8)
    assert_alike(read_image(path, size=(WIDTH, HEIGHT), **read), turned, 8)
    assert_alike(read_image(path, size=(HEIGHT, WIDTH), **read), picture, 8)


@pytest.mark.parametrize('orientation', [3, 6])
def test_where_both_sizes_agree_the_picture_is_turned(picture, save, orientation):
    """As browsers show it: upside down, and square."""
    picture = picture if orientation == 3 else np.ascontiguousarray(picture[:, :HEIGHT])
    path = save(from_bgr(picture), 'a.jpg', orientation, quality=95)
    turned = np.rot90(picture, TURNS[orientation])
    assert_alike(read_image(path, size=turned.shape[:2]), turned)


def test_a_picture_of_another_size_is_refused_with_both_sizes(picture, save):
    path = save(from_bgr(picture), 'half.jpg')
    with pytest.raises(UserError, match=r'half\.jpg is 60 x 40 .* annotated as 30 x 20: .*width'):
        read_image(path, size=(HEIGHT // 2, WIDTH // 2))
    with pytest.raises(UserError, match=r'half\.jpg is 60 x 40 .* annotated as 40 x 60'):
        read_image(path, size=(WIDTH, HEIGHT))


def test_ignoring_an_orientation_is_said_once_a_folder(picture, save, caplog):
    _say_unturned.cache_clear()
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        for name in ('a.jpg', 'b.jpg'):
            read_image(save(from_bgr(picture), name, 6), size=(HEIGHT, WIDTH))
    finally:
        logger.removeHandler(caplog.handler)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert 'not as their EXIF orientation turns them' in record.message


@pytest.mark.parametrize(
    ('mode', 'suffix'),
    [
        ('CMYK', '.jpg'),
        ('CMYK', '.tif'),
        ('L', '.png'),
        ('L', '.jpg'),
        ('P', '.png'),
        ('P', '.gif'),
        ('1', '.png'),
        ('LA', '.png'),
        ('RGBA', '.png'),
    ],
)
def test_whatever_the_file_holds_it_is_8_bit_bgr(picture, save, mode, suffix):
    image = from_bgr(picture).convert(mode)
    path = save(image, f'a{suffix}')
    expected = np.asarray(image.convert('RGB'))[..., ::-1]
    assert_alike(read_image(path, size=(HEIGHT, WIDTH)), expected)


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_16_bits_are_scaled_to_8(picture, tmp_path, suffix):
    path = str(tmp_path / f'deep{suffix}')
    for deep, expected in (
        (picture.astype(np.uint16) * 257, picture),
        (picture[..., 0].astype(np.uint16) * 257, picture[..., [0, 0, 0]]),
    ):
        cv2.imwrite(path, deep)
        assert_alike(read_image(path), expected, 1)
        assert (read_image(path, flag='unchanged') == deep).all()
    with pytest.raises(UserError, match=rf'deep\{suffix} has more than 8 bits .*cv2'):
        read_image(path, imdecode_backend='pillow')


def test_what_pillow_does_not_convert_it_may_read(tmp_path):
    deep = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 20
    path = str(tmp_path / 'deep.png')
    cv2.imwrite(path, deep)
    assert (read_image(path, flag='unchanged', imdecode_backend='pillow') == deep).all()


def test_grey_has_no_channels(picture, save):
    path = save(from_bgr(picture), 'a.jpg', 6)
    assert read_image(path, flag='grayscale').shape == (WIDTH, HEIGHT)
    stored = read_image(path, flag='grayscale', size=(HEIGHT, WIDTH))
    assert_alike(stored, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))


def test_unchanged_is_never_turned(picture, save):
    path = save(from_bgr(picture), 'a.jpg', 6)
    assert read_image(path, flag='unchanged').shape[:2] == (HEIGHT, WIDTH)
    with pytest.raises(UserError, match='annotated as 40 x 60'):
        read_image(path, flag='unchanged', size=(WIDTH, HEIGHT))


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_files_that_are_no_image_are_named(tmp_path, backend):
    path = tmp_path / 'a.jpg'
    for content in (b'', b'no picture', b'\xff\xd8\xff\xe0\x00\x10JFIF'):
        path.write_bytes(content)
        with pytest.raises(UnreadableError, match=r'a\.jpg cannot be read: it is broken'):
            read_image(str(path), imdecode_backend=backend)
    path.unlink()
    with pytest.raises(UnreadableError, match=r'a\.jpg does not exist$'):
        read_image(str(path))
    with pytest.raises(UnreadableError, match=r'exist; .*backslashes'):
        read_image(str(tmp_path / 'images\\a.jpg'))


def test_wrong_ways_to_read_are_named(picture, save):
    path = save(from_bgr(picture), 'a.jpg')
    for wrong in (dict(imdecode_backend='magick'), dict(flag='colour')):
        with pytest.raises(UserError, match=r"a\.jpg .*'color' and 'cv2' read any image"):
            read_image(path, **wrong)


def test_loading_reads_as_annotated(picture, save):
    path = save(from_bgr(picture), 'a.jpg', 6, quality=95)
    results = apply('LoadImageFromFile', dict(img_path=path, height=HEIGHT, width=WIDTH))
    assert_alike(results['img'], picture)
    assert results['img_shape'] == results['ori_shape'] == (HEIGHT, WIDTH)
    wrong = dict(img_path=path, height=HEIGHT, width=WIDTH + 1)
    for ignore_empty in (False, True):
        with pytest.raises(UserError, match=r'annotated as 61 x 40'):
            apply('LoadImageFromFile', wrong, ignore_empty=ignore_empty)


def test_loading_keeps_the_arguments_of_mmcv(picture, save, tmp_path):
    path = save(from_bgr(picture), 'a.png')
    item = dict(img_path=path)
    assert apply('LoadImageFromFile', item, to_float32=True)['img'].dtype == np.float32
    assert apply('LoadImageFromFile', item, color_type='grayscale')['img'].ndim == 2
    old = apply('LoadImageFromFile', item, file_client_args=dict(backend='disk'))
    assert (old['img'] == picture).all()
    assert item == dict(img_path=path)
    with pytest.raises(UserError, match='both file_client_args and backend_args'):
        apply('LoadImageFromFile', item, file_client_args={}, backend_args={})
    broken = tmp_path / 'b.png'
    broken.write_bytes(b'no picture')
    assert apply('LoadImageFromFile', dict(img_path=str(broken)), ignore_empty=True) is None


class OneBrokenImage:
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict:
        return apply('LoadImageFromFile', dict(img_path='broken.jpg'))


def test_a_broken_image_in_a_worker_is_one_line(capsys):
    with pytest.raises(SystemExit), exit_on_user_error():
        next(iter(DataLoader(OneBrokenImage(), num_workers=1)))
    assert capsys.readouterr().err == 'error: image broken.jpg does not exist\n'


def test_pixels_that_are_no_numbers_of_8_or_16_bits(tmp_path):
    path = str(tmp_path / 'a.tif')
    cv2.imwrite(path, np.ones((8, 8, 3), np.float32))
    with pytest.raises(UnreadableError, match='its pixels are float32; save it with 8 or 16 bits'):
        read_image(path)
