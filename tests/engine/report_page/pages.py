"""What the tests see in a page."""

import base64
import re
from pathlib import Path

import cv2
import numpy as np

from tests.web.chromium import Browser


def pictures_in(part: str) -> list[np.ndarray]:
    found = re.findall('src="data:image/[a-z]+;base64,([^"]*)"', part)
    images = [cv2.imdecode(np.frombuffer(base64.b64decode(each), np.uint8), -1) for each in found]
    assert all(image is not None for image in images)
    return images


def links_of(page: str) -> set[str]:
    """Return the sections that links lead to."""
    return set(re.findall('href="#([a-z]+)"', page))


def assert_needs_nothing_else(page: str) -> None:
    """See that a page is whole, and asks for nothing elsewhere; that its links lead somewhere."""
    assert page.startswith('<!DOCTYPE html>') and page.endswith('</html>\n')
    addresses = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]*)', page)
    assert {address.split(':')[0] for address in addresses if address[0] != '#'} <= {'data'}
    assert '<script' not in page and '<link' not in page and '@import' not in page
    assert 'http' not in re.sub(r'base64,[^"]*', '', page)
    assert links_of(page) <= set(re.findall('<section id="([a-z]+)"', page))


def assert_readable(browser: Browser, path: Path) -> None:
    """In a real telephone's width: nothing reaches over the side, or is asked for elsewhere."""
    metrics = dict(width=390, height=800, deviceScaleFactor=1, mobile=True)
    browser.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    browser.driver.get(path.as_uri())
    assert browser.run('return document.documentElement.scrollWidth') == 390
    assert browser.run('return [...document.images].every(each => each.naturalWidth > 0)')
    # In quirks mode styles mean something else.
    assert browser.run('return document.compatMode') == 'CSS1Compat'
    others = [each for each in browser.requests() if each.split(':')[0] not in ('data', 'file')]
    assert [each for each in others if not each.startswith('chrome')] == []
