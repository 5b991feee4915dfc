"""Each moment belongs to one part."""

import itertools

import pytest
import torch

from mmdet.engine.measure.stopwatch import Stopwatch, timed


@pytest.fixture
def stopwatch() -> Stopwatch:
    """One whose clock shows 0, 1, 2, ... seconds: a look at it takes one."""
    looks = itertools.count()
    return Stopwatch(torch.device('cpu'), rest='rest', clock=lambda: float(next(looks)))


class Owner:
    def outer(self, number: int) -> int:
        return self.inner(number) + 1

    def inner(self, number: int) -> int:
        if number < 0:
            raise ValueError(number)
        return 2 * number


def test_a_part_is_without_those_inside_of_it_and_all_add_up(stopwatch):
    owner = Owner()
    with timed(stopwatch, owner, 'outer', 'a'), timed(stopwatch, owner, 'inner', 'b'):
        assert owner.outer(3) == 7
        assert owner.inner(3) == 6
        # rest | outer | inner | outer | rest | inner | rest
        assert stopwatch.lap() == dict(rest=3, a=2, b=2)
        assert stopwatch.lap() == dict(rest=1)


def test_without_splitting_all_is_the_rests(stopwatch):
    owner = Owner()
    stopwatch.splits = False
    with timed(stopwatch, owner, 'outer', 'a'):
        assert owner.outer(3) == 7
    assert stopwatch.lap() == dict(rest=1)


def test_afterwards_it_is_as_it_was(stopwatch):
    owner, other = Owner(), Owner()
    other.outer = before = lambda number: number
    with (
        timed(stopwatch, owner, 'outer', 'a'),
        timed(stopwatch, owner, 'inner', 'b'),
        timed(stopwatch, other, 'outer', 'c'),
        pytest.raises(ValueError, match='-1'),
    ):
        owner.outer(-1)
    assert vars(owner) == {}
    assert other.outer is before
    stopwatch.lap()
    with stopwatch.part('d'):  # an error has closed the parts that it came through
        pass
    assert stopwatch.lap() == dict(rest=2, d=1)
