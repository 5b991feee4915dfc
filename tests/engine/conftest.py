"""What tests of the engine share."""

from collections.abc import Iterator

import pytest

from tests.web.chromium import Browser


@pytest.fixture
def browser(tmp_path) -> Iterator[Browser]:
    browser = Browser(tmp_path / 'profile')
    yield browser
    browser.driver.quit()
