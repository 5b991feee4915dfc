from math import exp
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from mmdet.errors import UserError
from mmdet.models import ExpMomentumEMA
from tests.models.layers.peer_ema import averages
from tests.peer import ask


def test_the_average_follows_closely_at_first():
    """By hand: the first step is copied, the others move the average by m."""
    found = averages(momentum=0.1, gamma=3)
    expected = 1.0
    for step in range(1, 12):
        m = 0.9 * exp(-(1 + step) / 3) + 0.1
        expected = (1 - m) * expected + m * (step + 1)
        np.testing.assert_allclose(found[step][0], expected, rtol=1e-6)
        assert found[step][2] == step  # running statistics are the model's own


def test_running_statistics_may_be_averaged_and_steps_passed_over():
    found = averages(momentum=0.1, gamma=3, update_buffers=True, interval=4)
    assert [step for step in range(1, 12) if (found[step] != found[step - 1]).any()] == [4, 8]
    m = 0.9 * exp(-5 / 3) + 0.1
    np.testing.assert_allclose(found[4][2:], 4 * m, rtol=1e-6)


@pytest.mark.parametrize(
    'arguments', [{}, dict(momentum=0.01, gamma=5, interval=2, update_buffers=True)]
)
def test_it_is_mmdetections(arguments):
    expected = ask(Path(__file__).with_name('peer_ema.py'), arguments)
    np.testing.assert_allclose(averages(**arguments), expected, rtol=1e-6)


@pytest.mark.parametrize('wrong', [dict(momentum=1.0), dict(momentum=0.0), dict(gamma=0)])
def test_what_averages_nothing_is_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(UserError, match=f'ExpMomentumEMA: {name}={value} is not'):
        ExpMomentumEMA(nn.Linear(1, 1), **wrong)
