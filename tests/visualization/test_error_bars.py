import pytest

from mmdet.evaluation.analysis import ERRORS
from mmdet.visualization.error_bars import class_gains_figure, gains_figure


def gains(**values: float) -> dict[str, float]:
    return dict.fromkeys(ERRORS, 0.0) | values


def test_bars_are_as_high_as_the_gains_in_points():
    (axes,) = gains_figure(dict(all=gains(missed=0.25), small=gains(both=0.5)), 'errors').axes
    heights = {
        container.get_label(): [bar.get_height() for bar in container]
        for container in axes.containers
    }
    assert list(heights) == list(ERRORS)
    assert heights['missed'] == pytest.approx([25, 0])
    assert heights['both'] == pytest.approx([0, 50])
    assert [label.get_text() for label in axes.get_xticklabels()] == ['all', 'small']


def test_classes_that_lose_most_come_first_and_kinds_lie_beside_each_other():
    (axes,) = class_gains_figure(
        dict(a=gains(missed=0.1), b=gains(both=0.2, missed=0.3)), 'errors'
    ).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ['b', 'a']
    assert axes.yaxis_inverted()
    bars = {container.get_label(): [*container] for container in axes.containers}
    assert bars['missed'][0].get_x() == pytest.approx(20)
    assert [bar.get_width() for bar in bars['missed']] == pytest.approx([30, 10])
    assert axes.get_title() == 'errors'


def test_of_many_classes_the_worst_are_drawn():
    (axes,) = class_gains_figure({str(i): gains(missed=i / 99) for i in range(99)}, 'errors').axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [str(i) for i in range(98, 58, -1)]
    assert axes.get_title() == 'errors; 40 of 99 classes, those that lose most'
    assert not class_gains_figure({}, 'errors').axes[0].containers
