import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.visualization import distinct_colors
from mmdet.visualization.palette import class_colors


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
