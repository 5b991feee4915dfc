"""A real browser: Debian's chromium and chromium-driver, driven by selenium."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import TypeVar

import pytest

T = TypeVar('T')
_PATIENCE = 180  # seconds: other tests may keep the machine busy


class Browser:
    """A window of its own profile, with the little that the tests do in it."""

    def __init__(self, profile: Path) -> None:
        webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
        chromium, driver = which('chromium'), which('chromedriver')
        if not chromium or not driver:
            pytest.skip('there is no chromium with its chromedriver')
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for option in (
            *('headless', 'no-sandbox', 'disable-gpu', 'disable-quic', 'no-first-run'),
            *('disable-background-networking', 'disable-component-update', 'disable-sync'),
            *(f'user-data-dir={profile}', 'window-size=1280,1000'),
        ):
            options.add_argument(f'--{option}')
        options.set_capability('goog:loggingPrefs', dict(performance='ALL'))
        downloads = str(profile / 'downloads')
        options.add_experimental_option('prefs', {'download.default_directory': downloads})
        self.downloads = Path(downloads)
        service = webdriver.chrome.service.Service(driver)
        self.driver = webdriver.Chrome(options=options, service=service)

    def open(self, address: str) -> None:
        """Go there, and wait until a file can be given to the page."""
        self.driver.get(address)
        self.wait(lambda: self.all('input[type=file]'))

    def all(self, selector: str) -> list:
        """Return the elements of a CSS selector."""
        return self.driver.find_elements('css selector', selector)

    def texts(self, selector: str) -> list[str]:
        """Return what stands in them, whether or not it is scrolled into view."""
        return [each.get_property('textContent').strip() for each in self.all(selector)]

    def run(self, script: str, *arguments: object) -> object:
        """Run some JavaScript."""
        return self.driver.execute_script(script, *arguments)

    def upload(self, path: Path) -> None:
        """Give a file to the page, in place of the one before."""
        for each in self.all('button[aria-label="Clear"]'):
            each.click()
        (field,) = self.wait(lambda: self.all('input[type=file]'))
        field.send_keys(str(path))

    def press(self, words: str, number: int = 0) -> None:
        """Press a button with these words."""
        found = [each for each in self.all('button') if each.text == words]
        found[number].click()

    def press_label(self, words: str) -> None:
        """Press a box to tick with these words."""
        (found,) = (each for each in self.all('label') if each.text == words)
        found.click()

    def slide(self, label: str, value: float) -> None:
        """Type a number beside a slider."""
        from selenium.webdriver.common.keys import Keys

        (field,) = self.all(f'input[type=number][aria-label*="{label}"]')
        field.send_keys(Keys.CONTROL, 'a')
        field.send_keys(str(value), Keys.ENTER)

    def point_at(self, element: object) -> None:
        """Move the pointer to the middle of an element."""
        from selenium.webdriver import ActionChains

        self.run('arguments[0].scrollIntoView({block: "center"})', element)
        ActionChains(self.driver).move_to_element(element).perform()

    def saved(self, name: str) -> Path:
        """Return a downloaded file, once it is whole."""
        path = self.downloads / name
        return self.wait(lambda: path if path.exists() else None)

    def requests(self) -> list[str]:
        """Return the addresses that pages have asked for since the last call."""
        messages = [
            json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance')
        ]
        return [
            message['params']['request']['url']
            for message in messages
            if message['method'] == 'Network.requestWillBeSent'
        ]

    @staticmethod
    def wait(condition: Callable[[], T]) -> T:
        """Return what a function returns once it is true, or fail."""
        end = time.monotonic() + _PATIENCE
        while not (found := condition()):
            assert time.monotonic() < end, 'the page did not get there'
            time.sleep(0.05)
        return found
