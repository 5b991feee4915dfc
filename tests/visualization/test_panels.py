import numpy as np
import pytest

from mmdet.visualization.panels import Panel, resized, sheet, size_within


def test_panels_stand_in_rows_and_none_covers_another():
    sizes = [(40, 400), (90, 30), (20, 500), (70, 60), (1, 1)]
    panels = [
        Panel(f'panel {value}', np.full((*size, 3), (0, 0, value + 1), np.uint8))
        for value, size in enumerate(sizes)
    ]
    picture = sheet(panels, columns=2)
    corners = []
    for value, size in enumerate(sizes):
        places = np.argwhere((picture == (0, 0, value + 1)).all(-1))
        assert len(places) == size[0] * size[1]
        corners.append(places[0].tolist())
    (a, b, c, d, e) = corners
    assert a[0] == b[0] < b[0] + 90 < c[0] == d[0] < d[0] + 70 < e[0]  # by the highest of a row
    assert a[1] == c[1] == e[1] < e[1] + 500 < b[1] == d[1]


def test_lines_and_titles_stay_in_the_picture():
    panel = Panel('a title that is far too long for such a panel ' * 3, np.zeros((50, 50, 3), 'u1'))
    short, long = (sheet([panel], columns=3, lines=[text]) for text in ('word', 'word ' * 100))
    assert short.shape[1] == long.shape[1] < 400
    assert long.shape[0] > short.shape[0] + 100
    for picture in (short, long):
        assert (picture[:, -8:] == picture[0, -1]).all()  # nothing reaches the edge
        assert (picture[-20:] != picture[0, -1]).any()  # the last line is there


@pytest.mark.parametrize(
    ('size', 'expected'),
    [
        ((800, 1333), (480, 800)),
        ((240, 320), (480, 640)),
        ((10, 20), (40, 80)),
        ((800, 800), (800, 800)),
        ((20_000, 20), (800, 1)),
    ],
)
def test_a_size_within_a_side(size, expected):
    assert size_within(size, 800, enlarge=4) == expected
    image = np.arange(size[0] * size[1], dtype=np.float32).reshape(size)
    assert resized(image, expected).shape == expected
