"""Precision, recall and thresholds of a whole test."""

import numpy as np
import pytest

from mmdet.evaluation.analysis import Curves, compare, matches_of
from tests.evaluation.analysis.scenes import (
    Found,
    Thing,
    figures_of,
    measured_of,
    metric_of,
    random_images,
)

CLASSES = 3


def curves_of(images: list) -> Curves:
    curves = Curves(CLASSES)
    for image in compare(measured_of(images, CLASSES)):
        curves.add(image, matches_of(image))
    return curves


def test_their_mean_is_the_engines_ap():
    images = random_images(classes=CLASSES, seed=1)
    figures = figures_of(metric_of(CLASSES), images)
    precision = curves_of(images).precision
    aps = precision.mean(axis=(0, 2))
    assert aps == pytest.approx([figures[f'segm_mAP_{name}'] for name in 'abc'], abs=1e-12)
    assert precision[0].mean() == pytest.approx(figures['segm_mAP_50'], abs=1e-12)
    assert precision[5].mean() == pytest.approx(figures['segm_mAP_75'], abs=1e-12)


LEFT, RIGHT, NOWHERE = (0, 0, 20, 20), (40, 0, 60, 20), (0, 40, 20, 60)


def test_the_best_threshold():
    """Of class 0 two of three are right at 0.6; of class 1 there is nothing, and one is wrong."""
    things = [Thing(0, LEFT), Thing(0, RIGHT), Thing(2, LEFT)]
    found = [
        Found(0, LEFT, 0.9),
        Found(0, NOWHERE, 0.6),
        Found(0, RIGHT, 0.6),
        Found(0, NOWHERE, 0.3),
        Found(1, RIGHT, 0.8),
    ]
    curves = curves_of([(things, found)])
    assert curves.best(0) == pytest.approx((0.6, 2 / 3, 1, 0.8))
    assert curves.best(1) is None
    assert curves.best(2) is None
    assert curves.at(0.7, 0) == pytest.approx((0.7, 1, 0.5, 2 / 3))
    assert curves.at(0.95, 0) == (0.95, 1.0, 0.0, 0.0)
    assert curves.at(0.5, 1) is None
    # All together: 1 of 2 at 0.8, 2 of 4 at 0.6, of 3 objects
    assert curves.best() == pytest.approx((0.6, 0.5, 2 / 3, 4 / 7))
    assert np.isnan(curves.precision[:, 1]).all()


def test_nothing_at_all():
    curves = Curves(CLASSES)
    assert curves.best() is None
    assert curves.at(0.5) is None
    assert np.isnan(curves.precision).all()
