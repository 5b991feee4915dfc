"""The page: it needs nothing else, says what the figures say, and can be read on a telephone."""

import re
from pathlib import Path

import pytest

from mmdet.engine.report_page import mark_of
from mmdet.engine.result_report import MADE_BY, page_of
from tests.engine.report_page.pages import (
    assert_needs_nothing_else,
    assert_readable,
    links_of,
    pictures_in,
)

from .data import write_results, write_test
from .test_collect import reported


@pytest.fixture
def page(tmp_path, tiny_model) -> str:
    cfg = write_test(tmp_path / 'data', tiny_model)
    write_results(tmp_path / 'results.json')
    return page_of(reported(cfg, str(tmp_path / 'results.json'), str(tmp_path), '<b>my config.py'))


def section(page: str, name: str) -> str:
    return re.findall(f'<section id="{name}">.*?</section>', page, re.DOTALL)[0]


def test_it_needs_nothing_else(page):
    assert mark_of(MADE_BY) in page
    assert_needs_nothing_else(page)
    assert links_of(page) >= {'classes', 'errors', 'grid', 'images', 'run'}
    # Names that shapes of two charts share would be those of the first.
    names = re.findall(' id="([^"]+)"', page)
    assert len(names) == len(set(names)) > 12


def test_it_says_what_the_figures_say(page):
    assert 'Objects that are missed cost most: 33.3 points of AP' in section(page, 'limits')
    assert '4 images, 1 of them without objects; 5 objects' in section(page, 'figures')
    assert 'With predictions from a score of 0.60 on, F1 is best, 0.750' in page
    assert section(page, 'curves').count('<svg class="chart"') == 2
    assert 'No class is taken for another.' in section(page, 'confusion')
    assert 'AP 0.50, 2 of 3 objects found by 2 predictions: val2017/a.png' in page
    assert len(pictures_in(section(page, 'images'))) == 3
    assert 'No log of the training lies beside the checkpoint.' in section(page, 'training')
    assert '&lt;b&gt;my config.py' in section(page, 'run')
    assert '<b>my' not in page


@pytest.mark.parametrize('there_is', ['nothing found', 'nothing to find'])
def test_of_nothing(tmp_path, tiny_model, there_is):
    cfg = write_test(tmp_path / 'data', tiny_model)
    (tmp_path / 'results.json').write_text('[]')
    if there_is == 'nothing to find':
        path = Path(cfg.test_evaluator.ann_file)
        path.write_text(re.sub(r'"annotations": \[.*?\}\]', '"annotations": []', path.read_text()))
    page = page_of(reported(cfg, str(tmp_path / 'results.json'), str(tmp_path)))
    assert_needs_nothing_else(page)
    expected = 'Nothing was found' if there_is == 'nothing found' else 'there is nothing to measure'
    assert expected in section(page, 'limits')


def test_it_can_be_read_on_a_telephone(browser, page, tmp_path):
    path = tmp_path / 'report.html'
    path.write_text(page)
    assert_readable(browser, path)
