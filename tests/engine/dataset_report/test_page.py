"""The page: it needs nothing else, says what the figures say, and can be read on a telephone."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.engine.dataset_report import MADE_BY, collect, page_of
from mmdet.engine.report_page import mark_of
from tests.engine.report_page.pages import (
    assert_needs_nothing_else,
    assert_readable,
    links_of,
    pictures_in,
)

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
    assert mark_of(MADE_BY) in page
    assert_needs_nothing_else(page)
    assert {'twins', 'files', 'grid', 'classes'} <= links_of(page)


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


def test_its_pictures(page):
    """Twins side by side; the image of a lost object; a map of centres for each part."""
    sections = {each[:5]: each for each in page.split('<section id="')}
    one, other = pictures_in(sections['twins'])
    np.testing.assert_allclose(one, other, atol=30)
    assert len(pictures_in(sections['objec'])) == 2
    (lost,) = pictures_in(sections['grid"'])
    assert max(lost.shape) == 500


def test_it_can_be_read_on_a_telephone(browser, page, tmp_path):
    path = Path(tmp_path, 'report.html')
    path.write_text(page)
    assert_readable(browser, path)
