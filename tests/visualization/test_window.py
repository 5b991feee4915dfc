import cv2
import numpy as np
import pytest
from matplotlib import pyplot

from mmdet.errors import UserError
from mmdet.visualization.window import Window, check_window


@pytest.mark.parametrize(
    ('given', 'is_frame', 'waited'),
    [(None, False, 2000), (None, True, 1), (0.5, True, 500), (0, True, 0)],
)
def test_a_window_waits_as_long_as_it_is_told(monkeypatch, given, is_frame, waited):
    times = []
    monkeypatch.setenv('DISPLAY', ':0')
    for name in ('namedWindow', 'imshow'):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, 'waitKey', lambda time: times.append(time) or ord(' '))
    monkeypatch.setattr(cv2, 'getWindowProperty', lambda *_: 1.0)
    assert Window(given).show(np.zeros((4, 4, 3), np.uint8), is_frame=is_frame)
    assert times == [waited]


@pytest.mark.parametrize('answer', ['error', 0.0])
def test_a_window_that_its_user_closes_is_the_end(monkeypatch, answer):
    def gone(*_: object) -> float:
        if answer == 'error':
            raise cv2.error('NULL guiReceiver')
        return answer

    def fail(_: str) -> None:
        raise cv2.error('NULL guiReceiver')

    monkeypatch.setenv('DISPLAY', ':0')
    for name in ('namedWindow', 'imshow'):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, 'waitKey', lambda _: -1)
    monkeypatch.setattr(cv2, 'getWindowProperty', gone)
    monkeypatch.setattr(cv2, 'destroyWindow', fail)
    window = Window()
    assert not window.show(np.zeros((4, 4, 3), np.uint8), is_frame=False)
    window.close()


@pytest.mark.parametrize('given', [-1, float('nan'), float('inf')])
def test_a_time_that_is_none(monkeypatch, given):
    monkeypatch.setenv('DISPLAY', ':0')
    with pytest.raises(UserError, match='it takes 0 or more seconds'):
        Window(given)


def test_what_draws_into_files_opens_no_window(monkeypatch):
    monkeypatch.setattr(pyplot, 'get_backend', lambda: 'agg')
    with pytest.raises(UserError, match=r'cannot open a window \(matplotlib draws with agg\)'):
        check_window()


def test_what_is_not_installed_opens_no_window(monkeypatch):
    def missing() -> str:
        raise ImportError("no module named 'tkinter'")

    monkeypatch.setattr(pyplot, 'get_backend', missing)
    with pytest.raises(UserError, match=r"cannot open a window \(no module named 'tkinter'\)"):
        check_window()


@pytest.mark.parametrize('name', ['TkAgg', 'qtagg', 'module://of.my.own'])
def test_what_opens_windows_is_let_pass(monkeypatch, name):
    monkeypatch.setattr(pyplot, 'get_backend', lambda: name)
    check_window()
