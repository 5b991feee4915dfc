import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from mmdet.visualization.curves import Line, Panel, curves_figure, draw_curves, fill_figure

# The first colours of matplotlib's cycle, as OpenCV reads them
BLUE, ORANGE = (180, 119, 31), (14, 127, 255)


def test_losses_are_averaged_and_scores_stand_at_their_iterations():
    losses = dict(loss=np.linspace(3, 1, 500), loss_cls=[2.0] * 500)
    left, right = curves_figure(losses, dict(AP=[0.1, 0.2]), [250, 500]).axes
    loss, loss_cls = left.lines
    # Averages of 5 values: the first over iterations 1 to 5, the last over 496 to 500.
    assert loss.get_xdata().tolist() == list(range(5, 501))
    assert loss.get_ydata()[[0, -1]] == pytest.approx([losses['loss'][2], losses['loss'][-3]])
    assert loss_cls.get_ydata() == pytest.approx(2)
    assert [text.get_text() for text in left.get_legend().texts] == ['loss', 'loss_cls']
    (score,) = right.lines
    assert score.get_xydata().tolist() == [[250, 0.1], [500, 0.2]]
    assert (right.get_xlabel(), right.get_ylabel()) == ('iteration', 'AP')


def test_a_score_that_came_later_stands_at_the_last_iterations():
    _, right = curves_figure({}, dict(AP=[0.1, 0.2, 0.3], late=[0.4]), [10, 20, 30]).axes
    assert right.lines[1].get_xydata().tolist() == [[30, 0.4]]


def test_the_picture_shows_them(tmp_path):
    path = tmp_path / 'curves.png'
    draw_curves(path, dict(loss=[3.0, 1.0], loss_cls=[1.0, 0.5]), dict(AP=[0.1, 0.2]), [1, 2])
    picture = cv2.imread(str(path))
    blue, orange = ((picture == color).all(-1).nonzero()[1] for color in (BLUE, ORANGE))
    middle = picture.shape[1] // 2
    # From one end of each plot to the other
    assert np.ptp(blue[blue < middle]) > 0.7 * middle
    assert np.ptp(blue[blue > middle]) > 0.7 * middle
    assert np.ptp(orange) > 0.7 * middle and orange.max() < middle
    draw_curves(path, {}, {}, [])  # before the first iteration and validation
    empty = cv2.imread(str(path))
    assert empty.shape == picture.shape
    assert not (empty == BLUE).all(-1).any()


def test_a_panel_begins_at_zero_unless_there_is_less():
    above, below = Line('a', [1, 2], [3.0, float('nan')]), Line('b', [1, 2], [-1.0, 3.0])
    figure = Figure()
    fill_figure(figure, [Panel('', 'epoch', '', [above]), Panel('', 'epoch', '', [above, below])])
    first, second = figure.axes
    assert first.get_ylim()[0] == 0
    assert second.get_ylim()[0] < -1
    assert all(tick == int(tick) for tick in first.get_xticks())
