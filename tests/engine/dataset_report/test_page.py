"""The page: it needs nothing else, says what the figures say, and can be read on a telephone."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.engine.dataset_report import MARK, collect, page_of
from mmdet.engine.dataset_report.amiss import percent
from mmdet.engine.dataset_report.html import Share, heat_map, table, tag
from mmdet.engine.dataset_report.thumbnails import thumbnail
from mmdet.structures.coded_masks import masks_of
from tests.web.chromium import Browser

from .data import config_of, noise, square, write_coco, write_scene


@pytest.fixture
def page(tmp_path) -> str:
    """Of a scene, one of whose images is broken, one in both parts, and one has a lost object."""
    write_scene(tmp_path)
    twin = noise(3, 60, 90)
    cv2.imwrite(str(tmp_path / 'train2017/b.png'), twin)
    outside = square(2, 5, 5, 50)
    images = [
        ('a.png', 80, 120, [square(0, 20, 20, 20)]),
        ('b.png', 60, 90, [outside, square(1, 5, 5, 20)]),
        ('gone.png', 60, 90, [square(1, 5, 5, 20)]),
    ]
    write_coco(tmp_path, 'train2017', images)
    head = dict(scale_ranges=((1, 64), (48, 90)))
    report = collect(config_of(tmp_path, head=head), source='<b>my config.py')
    return page_of(report)


def test_it_needs_nothing_else(page):
    assert page.startswith('<!DOCTYPE html>') and page.endswith('</html>\n')
    assert MARK in page
    addresses = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]*)', page)
    assert {address.split(':')[0] for address in addresses if address[0] != '#'} == {'data'}
    assert '<script' not in page and '<link' not in page and '@import' not in page
    assert 'http' not in re.sub(r'base64,[^"]*', '', page)


def test_each_link_leads_somewhere(page):
    links = set(re.findall('href="#([a-z]+)"', page))
    assert links <= set(re.findall('<section id="([a-z]+)"', page))
    assert {'twins', 'files', 'grid', 'classes'} <= links


def test_it_says_what_is_amiss(page):
    amiss = page[page.index('id="amiss"') : page.index('id="parts"')]
    items = re.findall(r'<li class="w(\d)"><b>(.*?)</b>', amiss)
    assert [weight for weight, _ in items] == sorted((weight for weight, _ in items), reverse=True)
    said = ' '.join(text for _, text in items)
    assert '1 of 3 images (33.3 %) of train cannot be used.' in said
    assert '1 of 1 images (100 %) of val and test are nearly the same in train' in said
    assert 'are in the range of no level (1 too large)' in said


def test_whatever_names_say_is_text(page):
    assert '&lt;b&gt;my config.py' in page
    assert '<b>my' not in page
    assert table(['a'], [['<script>', Share(1, 0.5, '"<i>')]]).count('&lt;') == 2
    assert tag('p', 'x', title='"<') == '<p title="&quot;&lt;">x</p>'


def pictures_in(part: str) -> list[np.ndarray]:
    found = re.findall('src="data:image/[a-z]+;base64,([^"]*)"', part)
    images = [cv2.imdecode(np.frombuffer(base64.b64decode(each), np.uint8), -1) for each in found]
    assert all(image is not None for image in images)
    return images


def test_its_pictures(page):
    """Twins side by side; the image of a lost object; a map of centres for each part."""
    sections = {each[:5]: each for each in page.split('<section id="')}
    one, other = pictures_in(sections['twins'])
    np.testing.assert_allclose(one, other, atol=30)
    assert len(pictures_in(sections['objec'])) == 2
    (lost,) = pictures_in(sections['grid"'])
    assert max(lost.shape) == 500


def test_a_lost_object_is_marked(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((50, 100, 3), 90, np.uint8))
    corners = [20.0, 10.0, 60.0, 10.0, 60.0, 30.0, 20.0, 30.0]
    masks = masks_of([[corners]], 50, 100).resize((100, 200))
    shown = thumbnail(str(tmp_path / 'a.png'), side=400, masks=masks)
    assert shown.shape == (200, 400, 3)
    is_red = shown[..., 2] > shown[..., 0] + 50
    assert is_red[45:115, 85:235].all()
    is_red[30:130, 70:250] = False
    assert not is_red.any()
    assert thumbnail(str(tmp_path / 'gone.png'), side=400) is None


def test_the_map_is_strongest_where_most_are():
    (image,) = pictures_in(heat_map([[0, 1], [4, 0]], alt=''))
    assert image[..., 3].tolist() == [[0, 128], [255, 0]]


def test_shares_are_rounded_to_neither_none_nor_all():
    shares = (0.0, 1e-6, 0.00099, 0.0234, 0.5, 0.9989, 0.99999, 1.0)
    assert [percent(share) for share in shares] == [
        *('0 %', '< 0.1 %', '< 0.1 %', '2.3 %', '50 %', '99.9 %', '99.99 %', '100 %')
    ]


@pytest.fixture
def browser(tmp_path) -> Iterator[Browser]:
    browser = Browser(tmp_path / 'profile')
    yield browser
    browser.driver.quit()


def test_it_can_be_read_on_a_telephone(browser, page, tmp_path):
    """In a real browser: nothing reaches over the side, and nothing is asked for elsewhere."""
    path = Path(tmp_path, 'report.html')
    path.write_text(page)
    metrics = dict(width=390, height=800, deviceScaleFactor=1, mobile=True)
    browser.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    browser.driver.get(path.as_uri())
    assert browser.run('return document.documentElement.scrollWidth') == 390
    assert browser.run('return [...document.images].every(each => each.naturalWidth > 0)')
    # In quirks mode styles mean something else.
    assert browser.run('return document.compatMode') == 'CSS1Compat'
    others = [each for each in browser.requests() if each.split(':')[0] not in ('data', 'file')]
    assert [each for each in others if not each.startswith('chrome')] == []
