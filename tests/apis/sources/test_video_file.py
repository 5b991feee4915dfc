"""Videos as telephones and faults make them."""

import itertools
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from mmdet.apis.sources import UnreadableError, open_source
from mmdet.errors import UserError
from tests.apis.videos import break_frames, scene, turn, write_video

pytest.importorskip('av', reason='PyAV is not installed')

# As of a telephone, which films with fewer frames when it is dark.
UNEVEN = list(itertools.accumulate([0] + [33, 34, 125] * 13))


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / 'a.mp4', UNEVEN)


def assert_is_scene(image: np.ndarray, number: int) -> None:
    """The red square is where that frame has it; compression leaves it a little different."""
    is_red = (image[..., 2] > 150) & (image[..., 1] < 100)
    truth = (scene(number)[..., 2] == 255) & (scene(number)[..., 1] == 0)
    assert (is_red & truth).sum() > 0.9 * (is_red | truth).sum()


def test_every_frame_at_its_time(video):
    opened = open_source(video)
    assert opened.total == len(UNEVEN)
    assert not opened.live
    found = list(opened)
    assert [picture.frame for picture in found] == list(range(40))
    np.testing.assert_allclose([picture.time for picture in found], np.array(UNEVEN) / 1000)
    assert {picture.path for picture in found} == {str(video)}
    for picture in found:
        assert picture.image.dtype == np.uint8
        assert_is_scene(picture.image, picture.frame)
    assert opened.broken == opened.notes == []
    with pytest.raises(UserError, match=r'a\.mp4 has been gone through: open it again'):
        list(opened)


def test_a_telephone_held_upright(video):
    picture = next(iter(open_source(turn(video))))
    assert picture.image.shape == (128, 96, 3)
    assert picture.image[:12, -12:].mean() > 240  # the white corner has gone clockwise
    capture = cv2.VideoCapture(str(video))  # OpenCV turns by itself, too
    _, expected = capture.read()
    assert np.abs(picture.image.astype(int) - expected).mean() < 4


@pytest.mark.parametrize('strict', [False, True])
def test_broken_frames_in_the_middle(video, strict):
    # The first is a keyframe, on which the 12 of its group rest; the other nothing rests on.
    opened = open_source(break_frames(video, [12]), strict=strict)
    found = []
    if strict:
        with pytest.raises(UnreadableError, match=r'a\.mp4: .* cannot be decoded, the first at 0'):
            found.extend(opened)
        assert 0 < len(found) < 20
        return
    found.extend(opened)
    assert len(found) >= 28
    (said,) = opened.broken
    assert f'{video}: {40 - len(found)} frame' in said
    times = [picture.time for picture in found]
    assert times == sorted(set(times))
    assert set(np.round(times, 3)) < set(np.round(np.array(UNEVEN) / 1000, 3))
    assert found[-1].time == pytest.approx(UNEVEN[-1] / 1000)
    assert_is_scene(found[-1].image, 39)


def test_a_video_that_is_cut_off(tmp_path):
    path = write_video(tmp_path / 'a.mp4', UNEVEN, index_first=True)
    path.write_bytes(path.read_bytes()[:-800])
    opened = open_source(path)
    found = list(opened)
    assert 5 < len(found) < 40
    *lost, cut = opened.broken
    missing = int(re.search(r'is cut off: the last (\d+) frames are missing', cut)[1])
    undecoded = int(re.search(r': (\d+) frame', lost[0])[1]) if lost else 0
    assert len(found) + undecoded + missing == 40


def test_avi_with_a_clock_of_milliseconds(tmp_path):
    # Its header counts their ticks, not its five frames.
    opened = open_source(write_video(tmp_path / 'a.avi', UNEVEN[:5], codec='mpeg4'))
    assert opened.total == 5
    assert [picture.time for picture in opened] == pytest.approx(np.array(UNEVEN[:5]) / 1000)
    assert opened.broken == []


@pytest.mark.parametrize('name, codec', [('a.avi', 'mpeg4'), ('a.mkv', 'libx264')])
def test_a_cut_off_video_that_says_how_long_it_is_but_not_how_many_frames(tmp_path, name, codec):
    times = range(0, 4000, 40)
    path = write_video(tmp_path / name, times, codec=codec, clock=25)
    whole = open_source(path)
    assert len(list(whole)) == 100
    assert whole.broken == []
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    opened = open_source(path)
    found = list(opened)
    missing = float(re.search(r'is cut off: the last (\S+) s are missing', opened.broken[-1])[1])
    lost = sum(int(each) for each in re.findall(r': (\d+) frame', opened.broken[0]))
    assert 10 < len(found) < 90
    assert missing == pytest.approx(4 - 0.04 * (len(found) + lost), abs=0.05)


def test_sound_that_lasts_for_longer_is_no_cut_off_video(tmp_path):
    opened = open_source(write_video(tmp_path / 'a.mkv', range(0, 400, 40), sound='aac', end=3000))
    assert len(list(opened)) == 10
    assert opened.broken == []


def test_pieces_put_together_of_which_one_is_cut_off(tmp_path):
    piece = write_video(tmp_path / 'a.ts', range(0, 4000, 40)).read_bytes()
    (tmp_path / 'b.ts').write_bytes(piece[: len(piece) // 2] + piece)
    opened = open_source(tmp_path / 'b.ts')
    times = [picture.time for picture in opened]
    assert 130 < len(times) < 160
    assert times == sorted(times)
    assert times[-1] == pytest.approx(6, abs=0.5)
    assert len(opened.broken) == 1


def test_a_video_without_its_index(video):
    video.write_bytes(video.read_bytes()[:2000])  # an MP4's comes last
    with pytest.raises(UnreadableError, match='neither as an image nor as a video'):
        open_source(video)


def test_a_video_of_which_no_frame_can_be_decoded(video):
    opened = open_source(break_frames(video, range(40)))
    with pytest.raises(UnreadableError, match='40 frames cannot be decoded'):
        list(opened)


def test_a_broken_video_among_others(video, tmp_path):
    (tmp_path / 'b.mp4').write_bytes(b'nothing')
    cv2.imwrite(str(tmp_path / 'c.png'), scene(0))
    opened = open_source(tmp_path)
    assert len(list(opened)) == 41
    assert len(opened.broken) == 1
    assert 'b.mp4' in opened.broken[0]
    assert opened.total == 42


def test_neither_image_nor_video(tmp_path):
    (tmp_path / 'thesis.docx').write_bytes(b'PK\3\4 and so on')
    with pytest.raises(UserError, match=r'thesis\.docx cannot be read, neither as an image'):
        open_source(tmp_path / 'thesis.docx')


def test_sound_alone(tmp_path):
    import av

    with av.open(str(tmp_path / 'a.m4v'), 'w', format='ipod') as container:
        stream = container.add_stream('aac', rate=44100)
        block = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        block.sample_rate, block.pts = 44100, 0
        container.mux(stream.encode(block))
        container.mux(stream.encode())
    with pytest.raises(UserError, match='has no pictures, only sound'):
        open_source(tmp_path / 'a.m4v')


def test_pyav_is_not_installed(video, monkeypatch):
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(UserError, match=r"pip install 'mmdet-solo\[video\]'"):
        open_source(video)


FORK = """
import gc, os, sys, weakref
from mmdet.apis.sources.video_file import load_av
class Decoder: pass
load_av()
gc.disable()
left = Decoder()
left.itself, gone = left, weakref.ref(left)
del left
child = os.fork()
if not child:
    os._exit(0)
os.waitpid(child, 0)
sys.exit(gone() is not None)
"""


def test_a_forked_process_finds_no_decoder_to_free(environment):
    """Without its threads it would crash: a data loader's worker, in training after a video."""
    assert subprocess.run([sys.executable, '-c', FORK], env=environment).returncode == 0
