"""The pieces of a page."""

from mmdet.engine.report_page.html import Share, heat_map, table, tag

from .pages import pictures_in


def test_whatever_is_given_is_text():
    assert table(['a'], [['<script>', Share(1, 0.5, '"<i>')]]).count('&lt;') == 2
    assert tag('p', 'x', title='"<') == '<p title="&quot;&lt;">x</p>'


def test_the_map_is_strongest_where_most_are():
    (image,) = pictures_in(heat_map([[0, 1], [4, 0]], alt=''))
    assert image[..., 3].tolist() == [[0, 128], [255, 0]]
