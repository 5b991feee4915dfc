import pytest
from matplotlib import pyplot

from mmdet.errors import UserError
from mmdet.visualization.window import check_window


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
