"""Videos that are written can be seen in a browser, at the times of the frames, with sound."""

import errno
from pathlib import Path

import numpy as np
import pytest

from mmdet.apis.outputs import VideoWriter
from mmdet.apis.outputs import video as video_module
from mmdet.apis.sources import open_source
from mmdet.errors import UserError
from tests.apis.videos import scene, write_video

av = pytest.importorskip('av', reason='PyAV is not installed')

TIMES = [0, 33, 66, 191, 224, 1500, 1533]


def copy(source: Path, path: Path) -> list[str]:
    with VideoWriter(path, sound_of=str(source)) as writer:
        for picture in open_source(source):
            writer.write(picture.image, picture.time)
    return writer.notes


def sound_of(path: Path) -> list[tuple[float, bytes]]:
    """Return the packets of the sound, with their times."""
    with av.open(str(path)) as container:
        packets = container.demux(audio=0)
        return [(float(p.pts * p.time_base), bytes(p)) for p in packets if p.size]


def test_what_browsers_take(tmp_path):
    with VideoWriter(tmp_path / 'new' / 'a.mp4') as writer:
        for number, time in enumerate(TIMES):
            writer.write(scene(number, size=(95, 127)), time / 1000)
    with av.open(str(tmp_path / 'new' / 'a.mp4')) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.pix_fmt) == ('h264', 'yuv420p')
        assert (stream.height, stream.width) == (96, 128)
        assert stream.frames == len(TIMES)
        assert container.start_time == 0
    found = list(open_source(tmp_path / 'new' / 'a.mp4'))
    np.testing.assert_allclose([each.time for each in found], np.array(TIMES) / 1000, atol=1e-4)
    assert all(picture.image.shape == (96, 128, 3) for picture in found)


@pytest.mark.parametrize('color', [(20, 200, 60), (200, 30, 240), (0, 0, 255)])
def test_colors_are_kept(tmp_path, color):
    with VideoWriter(tmp_path / 'a.mp4') as writer:
        writer.write(np.full((96, 128, 3), color, np.uint8), 0.0)
    (found,) = open_source(tmp_path / 'a.mp4')
    assert np.abs(found.image.astype(int) - color).max() <= 4


def test_times_never_go_back(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4') as writer:
        for time in (0.0, 0.5, 0.5, 0.4, 1.0):
            writer.write(scene(0), time)
    found = [picture.time for picture in open_source(tmp_path / 'a.mp4')]
    np.testing.assert_allclose(found, [0.0, 0.5, 0.5, 0.5, 1.0], atol=1e-4)


def test_a_picture_of_another_size(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4') as writer:
        writer.write(scene(0), 0.0)
        writer.write(scene(0, size=(192, 256)), 1.0)
    assert {each.image.shape for each in open_source(tmp_path / 'a.mp4')} == {(96, 128, 3)}


@pytest.mark.parametrize(('name', 'sound'), [('a.mp4', 'aac'), ('a.mkv', 'mp3'), ('a.mov', 'alac')])
def test_sound_is_copied(tmp_path, name, sound):
    source = write_video(tmp_path / name, range(0, 2000, 40), sound=sound)
    assert copy(source, tmp_path / 'b.mp4') == []
    before, after = sound_of(source), sound_of(tmp_path / 'b.mp4')
    assert [content for _, content in after] == [content for _, content in before]
    np.testing.assert_allclose([t for t, _ in after], [t for t, _ in before], atol=1e-4)


def test_sound_begins_where_the_pictures_do(tmp_path):
    """A transport stream's clock begins anywhere."""
    source = write_video(tmp_path / 'a.ts', range(3000, 5000, 40), sound='aac', begin=3000)
    with av.open(str(source)) as container:
        assert container.start_time > 2e6
    assert copy(source, tmp_path / 'b.mp4') == []
    assert 0 <= sound_of(tmp_path / 'b.mp4')[0][0] < 0.2
    found = [picture.time for picture in open_source(tmp_path / 'b.mp4')]
    assert found[0] < 0.2
    assert found[-1] < 2.2
    with av.open(str(tmp_path / 'b.mp4')) as container:
        assert len(list(container.decode(audio=0))) > 60


def test_pieces_put_together_as_they_are(tmp_path):
    """Each begins its clock anew."""
    piece = write_video(tmp_path / 'a.ts', range(0, 2000, 40), sound='aac').read_bytes()
    (tmp_path / 'b.ts').write_bytes(piece + piece)
    assert copy(tmp_path / 'b.ts', tmp_path / 'b.mp4') == []
    times = np.array([picture.time for picture in open_source(tmp_path / 'b.mp4')])
    assert len(times) == 100
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-3)
    heard = np.array([time for time, _ in sound_of(tmp_path / 'b.mp4')])
    assert len(heard) == 2 * len(sound_of(tmp_path / 'a.ts'))
    assert heard[-1] == pytest.approx(times[-1], abs=0.1)


def test_sound_that_mp4_does_not_take_is_said(tmp_path):
    source = write_video(tmp_path / 'a.mkv', range(0, 2000, 40), sound='pcm_s16le')
    (note,) = copy(source, tmp_path / 'b.mp4')
    assert note == f'{source}: its sound is pcm_s16le, which MP4 does not take; it is left out'
    assert len(list(open_source(tmp_path / 'b.mp4'))) == 50


def test_nothing_written_leaves_nothing(tmp_path):
    VideoWriter(tmp_path / 'a.mp4').close()
    assert not (tmp_path / 'a.mp4').exists()


def test_an_ffmpeg_without_h264(tmp_path, monkeypatch):
    codecs = video_module.CODECS
    others = {name: options for name, options in codecs.items() if '264' not in name}
    monkeypatch.setattr(video_module, 'CODECS', {'libnothing': {}, **others})
    with VideoWriter(tmp_path / 'a.mp4') as writer:
        writer.write(scene(0), 0.0)
    with av.open(str(tmp_path / 'a.mp4')) as container:
        assert 'vp9' in container.streams.video[0].codec_context.name
    monkeypatch.setattr(video_module, 'CODECS', {'libnothing': {}})
    with pytest.raises(UserError, match="PyAV's FFmpeg has none of libnothing"):
        VideoWriter(tmp_path / 'b.mp4')


def test_another_format(tmp_path):
    with pytest.raises(UserError, match=r'a\.avi: videos are written as MP4; name a \.mp4 file'):
        VideoWriter(tmp_path / 'a.avi')


def test_a_full_disk_leaves_what_was_written(small_disk):
    noise = np.random.default_rng(0)
    path = small_disk / 'a.mp4'
    with pytest.raises(OSError) as raised, VideoWriter(path) as writer:
        for number in range(300):
            blocks = noise.integers(0, 255, (60, 80, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            writer.write(blocks, number / 30)
    assert raised.value.errno == errno.ENOSPC
    opened = open_source(path)
    assert len(list(opened)) >= 30
