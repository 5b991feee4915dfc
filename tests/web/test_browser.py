"""The page as a visitor meets it: the real program, in a real browser."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest

from tests.apis.videos import write_video
from tests.conftest import REPO
from tests.web.chromium import Browser


class Server:
    """`demo/web.py` in a process of its own."""

    def __init__(self, log: Path, *arguments: str, environment: dict[str, str]) -> None:
        self.log = log
        command = [sys.executable, 'demo/web.py', *arguments, '--port', '0', '--device', 'cpu']
        with log.open('w') as file:
            self.process = subprocess.Popen(
                command, cwd=REPO, env=environment, stdout=file, stderr=subprocess.STDOUT
            )
        try:
            self.address = Browser.wait(self._address)
        except BaseException:
            self.process.kill()
            raise

    def _address(self) -> str:
        assert self.process.poll() is None, self.log.read_text()
        found = re.search(r'the page is at (\S+)', self.log.read_text())
        return found[1] if found else ''

    def runs(self) -> int:
        """Return how often the models have run."""
        return self.log.read_text().count('the models ran once')

    def end(self) -> int:
        """End it as `kill` does; return its exit code."""
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture
def browser(tmp_path) -> Iterator[Browser]:
    pytest.importorskip('gradio', reason='gradio is not installed')
    browser = Browser(tmp_path / 'profile')
    yield browser
    browser.driver.quit()


@pytest.fixture
def server(checkpoints, environment, tmp_path) -> Iterator[Server]:
    server = Server(
        tmp_path / 'log',
        *checkpoints,
        *('--score-thr', '0.2', '--max-upload-mb', '1', '--max-frames', '5'),
        environment={**environment, 'TMPDIR': str(tmp_path)},
    )
    yield server
    assert list(tmp_path.glob('mmdet-web-*/*'))  # what was uploaded
    assert server.end() == 143
    assert not list(tmp_path.glob('mmdet-web-*'))


def rows(browser: Browser, view: int) -> list[list[str]]:
    """Return the cells of one of the tables."""
    script = """
      const table = document.querySelectorAll('.instances')[arguments[0]];
      return [...table.querySelectorAll('tbody tr')].map(
        (row) => [...row.children].map((cell) => cell.textContent));
    """
    return browser.run(script, view)


def buttons(browser: Browser) -> list[str]:
    """Return what stands on the buttons that can be seen below the pictures."""
    script = """
      return [...document.querySelectorAll('.saves button')].filter(
        (button) => button.offsetParent).map((button) => button.textContent.trim());
    """
    return browser.run(script)


def lit(browser: Browser, selector: str) -> list[str]:
    """Return the numbers of the instances that light up."""
    return [each.get_attribute('data-n') for each in browser.all(f'{selector}.lit')]


def test_a_visit(browser, server, picture):
    browser.open(server.address)
    browser.upload(picture)
    browser.wait(lambda: len(browser.all('.scene')) == 2)
    first, second = rows(browser, 0), rows(browser, 1)
    assert first and second and first != second
    assert len(browser.all('.scene path')) == len(first) + len(second)
    assert server.runs() == 1

    # The pointer: on a row of the table, and on the picture.
    browser.point_at(browser.all('.instances tbody tr')[1])
    assert lit(browser, '.scene path') == lit(browser, 'tr') == [first[1][0]]
    browser.point_at(browser.all('.scene')[0])
    (number,) = lit(browser, '.scene path')
    assert lit(browser, '.scene span') == lit(browser, 'tr') == [number]

    # The lowest score: others are shown at once, and no model runs.
    scores = [float(row[2]) for row in first]
    _, between = max((one - two, (one + two) / 2) for one, two in pairwise(scores))
    above = [row for row in first if float(row[2]) > between]
    browser.slide('Lowest score', round(between, 2))
    browser.wait(lambda: rows(browser, 0) == above)

    # Classes
    browser.press_label('nut')
    kept = [row for row in above if row[1] != 'nut']
    browser.wait(lambda: rows(browser, 0) == kept)
    assert len(first) > len(above) > len(kept)
    assert server.runs() == 1

    # What is saved is what is shown.
    browser.press('Save COCO JSON')
    saved = json.loads(browser.saved('my photo-first.json').read_text())
    assert [round(each['score'], 2) for each in saved['annotations']] == [
        float(row[2]) for row in kept
    ]
    browser.press('Save picture', 1)
    drawn = cv2.imread(str(browser.saved('my photo-second.jpg')))
    assert drawn.shape == (96, 128, 3)

    outside = [
        each
        for each in browser.requests()
        if not each.startswith((server.address, 'data:', 'blob:', 'chrome'))
    ]
    assert outside == []

    # A second file finds the page as the first did.
    browser.upload(picture)
    browser.wait(lambda: server.runs() == 2 and buttons(browser))
    assert buttons(browser) == ['Save picture', 'Save COCO JSON'] * 2


def test_a_video(browser, server, tmp_path):
    pytest.importorskip('av', reason='PyAV is not installed')
    browser.open(server.address)
    browser.upload(write_video(tmp_path / 'clip.mp4', range(0, 400, 50)))
    browser.wait(lambda: len(browser.all('.scene')) == 2)
    assert 'only the first 5 frames' in browser.texts('.status')[0]
    first = browser.all('.scene img')[0].get_attribute('src')
    browser.slide('Frame', 4)
    browser.wait(lambda: browser.all('.scene img')[0].get_attribute('src') != first)
    assert server.runs() == 1


def test_what_cannot_be_shown_is_said(browser, server, picture, tmp_path):
    browser.open(server.address)
    browser.upload(picture)
    browser.wait(lambda: browser.all('.scene'))
    text = tmp_path / 'letter.jpg'
    text.write_text('Dear all')
    browser.upload(text)
    (words,) = browser.wait(lambda: browser.texts('.wrong'))
    assert str(tmp_path) not in words
    assert words.startswith('letter.jpg is broken, or neither a picture nor a video')
    browser.wait(lambda: not browser.all('.scene'))

    large = tmp_path / 'large.png'
    cv2.imwrite(str(large), np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8))
    browser.upload(large)
    browser.wait(lambda: 'maximum' in browser.driver.page_source)
    # What was not uploaded, of this machine or another one, is not looked at.
    for path in (str(picture), 'http://example.com/a.jpg'):
        file = dict(path=path, meta={'_type': 'gradio.FileData'})
        asked = dict(data=[file], fn_index=8, session_hash='mine')
        with pytest.raises(HTTPError, match='403'):
            urlopen(Request(f'{server.address}gradio_api/queue/join', json.dumps(asked).encode()))
    assert server.runs() == 1
    assert 'Traceback' not in server.log.read_text()
