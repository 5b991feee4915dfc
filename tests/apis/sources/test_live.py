"""What never ends: cameras and streams, which are looked at as they are now."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from mmdet.apis.sources import Picture, open_source
from mmdet.apis.sources.newest import Newest
from mmdet.apis.sources.stream import Stream, without_password
from mmdet.errors import UserError
from tests.apis.videos import scene, write_video


class FiveFrames:
    """A camera that is unplugged after five frames."""

    def __init__(self, number: int) -> None:
        self.left = 5
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple:
        self.left -= 1
        time.sleep(0.02)
        return (True, scene(self.left)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


def test_a_camera(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', FiveFrames)
    opened = open_source('0')
    assert opened.live
    found = list(opened)
    assert [picture.frame for picture in found] == list(range(5))
    assert {picture.path for picture in found} == {'camera 0'}
    assert opened.camera.released
    assert opened.broken == ['camera 0 ended after 5 frames: is it unplugged?']


def test_a_camera_is_released_when_nobody_looks_any_more(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', FiveFrames)
    opened = open_source(0)
    pictures = iter(opened)
    next(pictures)
    pictures.close()
    assert opened.camera.released


def test_a_camera_that_is_not_there(capfd):
    with pytest.raises(UserError, match='camera 77 cannot be opened'):
        open_source('77')
    assert capfd.readouterr() == ('', '')  # OpenCV has its own ways to say it


def test_a_camera_among_others(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', FiveFrames)
    with pytest.raises(UserError, match='name it alone'):
        list(open_source([scene(0), 0]))


def test_the_newest_picture_is_looked_at():
    def pictures() -> Iterator[Picture]:
        for number in range(50):
            time.sleep(0.01)
            yield Picture(scene(number), frame=number)

    newest = Newest(pictures())
    seen = []
    for picture in newest:
        seen.append(picture.frame)
        time.sleep(0.1)
    newest.close()
    assert seen == sorted(set(seen))
    assert len(seen) < 20
    assert seen[-1] == 49
    assert newest.notes('a') == [
        f'a: {50 - len(seen)} frames came while others were looked at, and were skipped'
    ]


def test_an_error_of_a_live_source_is_raised_where_it_is_looked_at():
    def pictures() -> Iterator[Picture]:
        yield Picture(scene(0))
        raise UserError('the cable')

    newest = Newest(pictures())
    next(newest)
    with pytest.raises(UserError, match='the cable'):
        next(newest)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(('127.0.0.1', 0)) as server:
        yield server


def serve(server: socket.socket, content: bytes, *, length: int | None, hang: bool) -> None:
    """Answer one request over HTTP after the other, then wait or close."""

    def answer() -> None:
        kept = []
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.recv(4096)
            size = '' if length is None else f'Content-Length: {length}\r\n'
            connection.sendall(f'HTTP/1.0 200 OK\r\n{size}\r\n'.encode() + content)
            if hang:
                kept.append(connection)
            else:
                connection.close()

    threading.Thread(target=answer, daemon=True).start()


def test_an_address_that_does_not_answer(listener):
    pytest.importorskip('av', reason='PyAV is not installed')
    port = listener.getsockname()[1]
    begin = time.monotonic()
    with pytest.raises(UserError) as raised:
        Stream(f'rtsp://me:secret@127.0.0.1:{port}/front', timeout=1)
    assert time.monotonic() - begin < 5
    said = str(raised.value)
    assert f'rtsp://127.0.0.1:{port}/front cannot be opened (no answer within 1 s' in said
    assert 'secret' not in said


def test_an_address_where_nobody_is(listener):
    pytest.importorskip('av', reason='PyAV is not installed')
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(UserError, match='Connection refused'):
        open_source(f'rtsp://127.0.0.1:{port}/front')


def test_a_stream_that_stops_to_answer(listener, tmp_path):
    pytest.importorskip('av', reason='PyAV is not installed')
    path = write_video(tmp_path / 'a.ts', range(0, 2970, 33))
    serve(listener, path.read_bytes(), length=None, hang=True)
    opened = Stream(f'http://127.0.0.1:{listener.getsockname()[1]}/live', timeout=1)
    assert opened.live
    found = list(opened)
    assert found
    assert found[0].time < 1
    assert any('nothing came for 1 s' in said for said in opened.broken)


def test_a_video_behind_an_address_is_seen_whole(listener, tmp_path):
    pytest.importorskip('av', reason='PyAV is not installed')
    path = Path(write_video(tmp_path / 'a.mkv', range(0, 990, 33)))
    content = path.read_bytes()
    serve(listener, content, length=len(content), hang=False)
    opened = open_source(f'http://127.0.0.1:{listener.getsockname()[1]}/a.mkv')
    assert not opened.live
    assert len(list(opened)) == 30
    assert opened.broken == []


def test_a_password_is_not_shown():
    assert without_password('rtsp://a:b@h:1/x?token=c#d') == 'rtsp://h:1/x'
