"""The page's HTML: masks as shapes, a table, and what other people wrote escaped."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from mmengine.structures import InstanceData

from mmdet.structures import RLEMasks
from mmdet.web import Upload, analyse
from mmdet.web.view import captions, instance_colors, largest_first, preview, scene, svg_paths
from tests.apis.videos import scene as drawn
from tests.samples import rectangle


@pytest.fixture
def found(detector):
    return analyse({'a': detector}, Upload('a.png', iter([drawn(0)]))).frames[0].found[0]


def masks_of(*masks: np.ndarray) -> RLEMasks:
    from pycocotools import mask as coco_mask

    rles = [coco_mask.encode(np.asfortranarray(mask)) for mask in masks]
    return RLEMasks(rles, *masks[0].shape)


def painted(path: str, height: int, width: int) -> np.ndarray:
    """Return the mask that a browser fills for a path."""
    outlines = [
        np.array([point.split(',') for point in part.strip('Z').split()], float)
        for part in path.split('M')[1:]
    ]
    mask = np.zeros((height, width), np.uint8)
    polygons = [((outline - 0.5) * 16).round().astype(np.int32) for outline in outlines]
    if polygons:
        cv2.fillPoly(mask, polygons, 1, shift=4)
    return mask


def test_outlines_fill_the_mask_but_not_its_hole():
    ring = rectangle(96, 128, (20, 10, 100, 90)) - rectangle(96, 128, (50, 40, 70, 60))
    (path,) = svg_paths(masks_of(ring))
    mask = painted(path, 96, 128)
    assert (mask & ring).sum() / (mask | ring).sum() > 0.95
    assert mask[50, 60] == 0
    assert path.count('M') == path.count('Z') == 2


def test_outlines_of_a_large_picture_are_in_its_pixels():
    mask = rectangle(2600, 1300, (130, 260, 1300, 2600))
    (path,) = svg_paths(masks_of(mask))
    points = np.array(re.findall(r'([\d.]+),([\d.]+)', path), float)
    np.testing.assert_allclose(points.min(0), (130, 260), atol=2)
    np.testing.assert_allclose(points.max(0), (1300, 2600), atol=2)


def test_an_empty_mask_has_no_outline():
    assert svg_paths(masks_of(np.zeros((9, 9), np.uint8))) == ['']


def test_the_preview_is_no_larger_than_it_is_shown():
    import base64

    kind, content = preview(np.zeros((3000, 1000, 3), np.uint8)).split(',')
    assert kind == 'data:image/jpeg;base64'
    image = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (1280, 427, 3)


def test_each_instance_is_a_shape_a_label_and_a_row(found):
    html = scene(found, 'data:,', title='best <1>', total=20)
    page = ElementTree.fromstring(f'<p>{re.sub("<img [^>]*>", "", html)}</p>')
    numbers = {
        tag: sorted(int(each.get('data-n')) for each in page.iter(tag) if each.get('data-n'))
        for tag in ('path', 'span', 'tr')
    }
    expected = list(range(1, len(found) + 1))
    assert numbers == dict(path=expected, span=expected, tr=expected)
    assert page.find('h3').text == 'best <1> '
    assert page.find('h3/small').text == f'{len(found)} of 20 instances'


def test_a_row_says_what_the_instance_is(found):
    found = found.filter(0, ['<b>washer</b>'])
    html = scene(found, 'data:,', title='a', total=20)
    cells = [re.sub('<[^>]*>', '', cell) for cell in re.findall('<td>(.*?)</td>', html)]
    area = int(found.instances.masks.areas[0])
    assert cells[0] == str(int(found.instances.number[0]))
    assert cells[1] == '&lt;b&gt;washer&lt;/b&gt;'
    assert cells[2] == f'{found.scores[0]:.2f}'
    assert cells[3] == f'{area:,}'
    assert cells[4] == f'{100 * area / (96 * 128):.1f}%'
    assert cells[5] == ', '.join(f'{edge:.0f}' for edge in found.boxes[0])
    assert '<b>' not in html


def test_nothing_to_show_is_said(found):
    html = scene(found.filter(1), 'data:,', title='a', total=len(found))
    assert 'Nothing scores that high' in html
    assert '<table' not in html


def test_small_ones_lie_above_and_better_ones_above_equals(found):
    areas = found.instances.masks.areas
    order = largest_first(found)
    assert sorted(order) == list(range(len(found)))
    assert (np.diff(areas[order]) <= 0).all()
    one = found.instances[3]
    equal = replace(found, instances=InstanceData.cat([one, one, one]))
    assert largest_first(equal) == [2, 1, 0]


def test_instances_of_a_class_have_their_own_tones(found):
    colors = instance_colors(found)
    nuts = [index for index, name in enumerate(found.names) if name == 'nut']
    assert len({colors[index] for index in nuts[:3]}) == 3
    # They keep them when others are left out.
    assert instance_colors(found.filter(0, ['nut'])) == [colors[index] for index in nuts]


def test_captions(found):
    assert captions(found)[0] == f'1 {found.names[0]} {found.scores[0]:.2f}'
