"""What the page says and the server does where something is wrong."""

import signal
import socket
import sys

import pytest
from mmengine.logging import MMLogger

from mmdet.errors import UserError
from mmdet.web import Limits, serve
from mmdet.web.page import import_gradio
from mmdet.web.visit import coco_file, look_at, picture_file
from tests.processes import run_tool

LIMITS = Limits(frames=5)


def nothing(done, total):
    """No progress is shown."""


class Failing:
    """A detector that cannot."""

    def __init__(self, detector) -> None:
        self.cfg, self.dataset_meta = detector.cfg, detector.dataset_meta

    def test_step(self, data):
        raise RuntimeError('out of memory in /home/me/secret.py')


def test_words_about_a_picture(detector, picture):
    session, words = look_at(str(picture), {'a': detector}, LIMITS, nothing)
    assert session is not None
    assert words.startswith('<p>128 x 96 pixels in ')


def test_notes_are_words_too(detector, tmp_path):
    pytest.importorskip('av', reason='PyAV is not installed')
    from tests.apis.videos import write_video

    path = write_video(tmp_path / 'a.mp4', range(0, 400, 50))
    _, words = look_at(str(path), {'a': detector}, LIMITS, nothing)
    assert words.startswith('<p>5 frames of 128 x 96 pixels in ')
    assert words.endswith('<p>only the first 5 frames are shown</p>')


def test_a_name_is_no_html(detector, tmp_path):
    path = tmp_path / '<img src=x>.jpg'
    path.write_text('Dear all')
    session, words = look_at(str(path), {'a': detector}, LIMITS, nothing)
    assert session is None
    assert '&lt;img src=x&gt;.jpg is broken' in words
    assert '<img' not in words


def test_a_fault_is_not_told_but_logged(detector, picture, caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        session, words = look_at(str(picture), {'a': Failing(detector)}, LIMITS, nothing)
    finally:
        logger.removeHandler(caplog.handler)
    assert session is None
    assert 'Something went wrong' in words
    assert 'secret' not in words
    assert str(picture.parent) not in words
    assert 'RuntimeError: out of memory in /home/me/secret.py' in caplog.text


def test_what_is_saved_has_the_names_of_picture_and_model(detector, picture, tmp_path, monkeypatch):
    monkeypatch.setenv('GRADIO_TEMP_DIR', str(tmp_path))
    models = {'a': detector, 'runs/b': detector}
    session, _ = look_at(str(picture), models, LIMITS, nothing)
    filters = (0.5, session.classes(), 0)
    assert picture_file(0, session, *filters).endswith('/my photo-a.jpg')
    assert coco_file(1, session, *filters).endswith('/my photo-runs-b.json')


def test_a_missing_gradio_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    with pytest.raises(UserError, match=r"pip install 'mmdet-solo\[demo\]'"):
        import_gradio()


def test_a_port_in_use_is_named(detector):
    pytest.importorskip('gradio', reason='gradio is not installed')
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f'--port {port}.*name another'):
            serve({'a': detector}, port=port)


def test_what_is_set_reaches_the_page(detector, picture, monkeypatch):
    gradio = pytest.importorskip('gradio', reason='gradio is not installed')
    given = {}

    class Stopped(Exception):  # noqa: N818
        pass

    def mount(app, page, path, **settings):
        given.update(page=page, **settings)
        raise Stopped

    monkeypatch.setattr(gradio, 'mount_gradio_app', mount)
    monkeypatch.setattr(signal, 'signal', lambda *_: None)
    monkeypatch.setenv('GRADIO_TEMP_DIR', '')  # serve sets it
    from gradio.state_holder import StateHolder

    limits = Limits(megapixels=1e-6)
    with pytest.raises(Stopped):
        serve({'a': detector}, port=0, limits=limits, score_thr=0.7, max_upload_mb=3, max_queue=5)
    assert given['max_file_size'] == '3mb'
    page = given['page']
    assert page._queue.max_size == 5
    holder = StateHolder()
    holder.set_blocks(page)
    assert holder.capacity == 50
    sliders = [each for each in page.blocks.values() if isinstance(each, gradio.Slider)]
    assert [each.value for each in sliders if each.label == 'Lowest score'] == [0.7]
    (receive,) = (each.fn for each in page.fns.values() if each.name == 'receive')
    assert 'million that are allowed here' in receive(str(picture))[1]


def test_configs_are_for_checkpoints(environment):
    run = run_tool(*('demo/web.py', 'a.pth', 'b.pth', '--config', 'c.py'), environment=environment)
    assert run.returncode == 2
    assert run.stderr.startswith('error: --config names 1 for 2 checkpoints')
