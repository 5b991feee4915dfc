"""What visitors send: read within limits, or refused in words that name no place of the server."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet.web import Limits, UploadError, open_upload
from mmdet.web.upload import DEFAULT_LIMITS
from tests.apis.videos import break_frames, scene, write_video


@pytest.fixture
def refused(tmp_path):
    """Return what is said about a file that is refused."""

    def words(name: str, content: bytes, limits: Limits = DEFAULT_LIMITS) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UploadError) as caught:
            list(open_upload(path, limits).images)
        assert str(tmp_path) not in str(caught.value)
        assert name in str(caught.value)
        return str(caught.value)

    return words


def png(image: np.ndarray) -> bytes:
    return cv2.imencode('.png', image)[1].tobytes()


def bomb(width: int, height: int) -> bytes:
    """Return a PNG's first bytes, which promise this size."""
    header = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    block = struct.pack('>I', 13) + header + struct.pack('>I', zlib.crc32(header))
    return b'\x89PNG\r\n\x1a\n' + block + struct.pack('>I', 99) + b'IDAT'


def test_a_picture(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(png(scene(3)))
    upload = open_upload(path, Limits())
    (image,) = upload.images
    assert (image == scene(3)).all()
    assert (upload.name, upload.total, upload.notes) == ('a.png', 1, [])


def test_the_first_of_several_pictures(tmp_path):
    first, second = (Image.fromarray(scene(n)) for n in (0, 9))
    first.save(tmp_path / 'a.gif', save_all=True, append_images=[second])
    upload = open_upload(tmp_path / 'a.gif', Limits())
    assert len(list(upload.images)) == 1
    assert upload.notes == ['only the first of 2 pictures in the file is shown']


def test_it_is_turned_as_the_camera_was_held(tmp_path):
    path = tmp_path / 'a.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene(0)).save(path, exif=exif)
    (image,) = open_upload(path, Limits()).images
    assert image.shape == (128, 96, 3)


def test_a_text_named_as_a_picture(refused):
    assert 'neither a picture nor a video' in refused('letter.jpg', b'Dear all')


def test_an_empty_file(refused):
    assert 'neither a picture nor a video' in refused('empty.png', b'')


def test_a_picture_that_is_cut_off(refused):
    assert 'broken' in refused('half.png', bomb(8, 8))


@pytest.mark.parametrize('side', [5_001, 9_600, 13_500, 2**31 - 1])
def test_too_many_pixels_are_not_unpacked(refused, side):
    # Only the header is there: whoever unpacks it finds it broken.
    assert 'make it smaller' in refused('bomb.png', bomb(side, side))


def test_the_limit_is_named(refused):
    words = refused('a.png', png(np.zeros((10, 11, 3), np.uint8)), Limits(megapixels=1e-4))
    assert '11 x 10 pixels' in words
    assert '0.0001 million' in words


def test_as_many_pixels_as_allowed(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(png(np.zeros((10, 10, 3), np.uint8)))
    assert len(list(open_upload(path, Limits(megapixels=1e-4)).images)) == 1


@pytest.mark.parametrize(
    'content',
    [
        b'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n',
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b'/etc/passwd\n',
    ],
)
@pytest.mark.parametrize('name', ['list.txt', 'list.mp4', 'list.png'])
def test_a_list_of_other_files_is_not_followed(refused, name, content):
    assert 'neither a picture nor a video' in refused(name, content)


class TestVideo:
    @pytest.fixture(autouse=True)
    def av(self):
        pytest.importorskip('av', reason='PyAV is not installed')

    @pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.mov'])
    def test_its_frames(self, tmp_path, suffix):
        path = write_video(tmp_path / f'a{suffix}', range(0, 250, 50))
        upload = open_upload(path, Limits())
        frames = list(upload.images)
        assert [frame.shape for frame in frames] == [(96, 128, 3)] * 5
        assert all(cv2.absdiff(frames[n], scene(n)).mean() < 5 for n in range(5))
        assert upload.notes == []

    def test_as_many_as_allowed(self, tmp_path):
        path = write_video(tmp_path / 'a.mp4', range(0, 250, 50))
        upload = open_upload(path, Limits(frames=5))
        assert len(list(upload.images)) == 5
        assert upload.notes == []

    def test_later_ones_are_left_out_and_said(self, tmp_path):
        path = write_video(tmp_path / 'a.mp4', range(0, 250, 50))
        upload = open_upload(path, Limits(frames=3))
        assert upload.total == 3
        assert len(list(upload.images)) == 3
        assert upload.notes == ['only the first 3 frames are shown']

    def test_too_many_pixels_are_not_unpacked(self, tmp_path):
        path = write_video(tmp_path / 'a.mp4', range(0, 250, 50))
        with pytest.raises(UploadError, match=r'^a\.mp4 has 128 x 96 pixels'):
            open_upload(path, Limits(megapixels=0.01))

    def test_broken_frames_are_said(self, tmp_path):
        path = break_frames(write_video(tmp_path / 'a.mp4', range(0, 500, 50), gop_size=1), [4])
        upload = open_upload(path, Limits())
        assert len(list(upload.images)) == 9
        (note,) = upload.notes
        assert note.startswith('a.mp4: 1 frame cannot be decoded')

    def test_cut_off(self, refused, tmp_path):
        content = write_video(tmp_path / 'b.mp4', range(0, 250, 50)).read_bytes()
        assert 'broken or cut off' in refused('a.mp4', content[: len(content) // 2])

    def test_only_sound(self, refused):
        import av

        buffer = io.BytesIO()
        with av.open(buffer, 'w', format='mp4') as container:
            stream = container.add_stream('aac', rate=44100)
            block = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format='fltp', layout='mono'
            )
            block.sample_rate = 44100
            container.mux(stream.encode(block))
            container.mux(stream.encode())
        assert 'broken or cut off' in refused('a.mp4', buffer.getvalue())
