import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.visualization import distinct_colors
from mmdet.visualization.dataset_colors import COCO_COLORS
from mmdet.visualization.palette import class_colors, named_palette


def test_distinct_colours_differ():
    colors = distinct_colors(80)
    assert len(set(colors)) == 80
    assert all(0 <= part <= 255 for color in colors for part in color)
    steps = np.abs(np.diff(np.array(colors), axis=0)).sum(1)
    assert steps.min() > 100  # neighbours are easy to tell apart
    first = np.array(colors[:12])
    apart = np.abs(first[:, None] - first).sum(-1)
    assert apart[~np.eye(12, dtype=bool)].min() > 100  # and so are any of a few


@pytest.mark.parametrize(
    ('choice', 'colors'),
    [
        (None, distinct_colors(2)),
        ('red', [(255, 0, 0)] * 2),
        ((1, 2, 3), [(1, 2, 3)] * 2),
        ([1, 2, 3], [(1, 2, 3)] * 2),  # as --cfg-options write it
        ([[1, 2, 3], [4, 5, 6]], [(1, 2, 3), (4, 5, 6)]),
    ],
)
def test_a_colour_for_each_class(choice, colors):
    assert class_colors(choice, 2) == colors


def test_colours_that_are_none_are_named():
    with pytest.raises(UserError, match="no colour 'reed'; known are red, green"):
        class_colors('reed', 2)
    with pytest.raises(UserError, match='1 colours are too few for 2 classes'):
        class_colors([(1, 2, 3)], 2)


@pytest.mark.parametrize(
    ('name', 'first', 'last', 'number'),
    [
        ('coco', (220, 20, 60), (191, 162, 208), 80),  # person, toothbrush
        ('citys', (220, 20, 60), (119, 11, 32), 8),  # person, bicycle
        ('voc', (128, 0, 0), (0, 64, 128), 20),  # aeroplane, tvmonitor
    ],
)
def test_the_colours_of_data_sets(name, first, last, number):
    colors = named_palette(name, number)
    assert (colors[0], colors[-1], len(colors)) == (first, last, number)
    assert named_palette(name, 3) == colors[:3]


def test_colours_of_coco_differ():
    assert len(set(COCO_COLORS)) == 80


def test_named_palettes():
    assert named_palette('none', 3) == distinct_colors(3)
    assert named_palette('random', 3) == named_palette('random', 5)[:3] != distinct_colors(3)
    assert named_palette('red', 2) == [(255, 0, 0)] * 2
    assert named_palette([(1, 2, 3), (4, 5, 6)], 2) == [(1, 2, 3), (4, 5, 6)]
    with pytest.raises(UserError, match='8 colours are too few for 9 classes'):
        named_palette('citys', 9)
    with pytest.raises(UserError, match='no colour'):
        named_palette('coca', 9)
