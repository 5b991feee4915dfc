"""What is proposed for objects whose sizes and places are made up."""

import math

import numpy as np
import pytest
import torch

from mmdet.engine.fit_grid.objects import Objects
from mmdet.engine.fit_grid.proposal import (
    GRIDS,
    propose,
    propose_factor,
    propose_grids,
    propose_ranges,
)
from mmdet.models.assigners import GroundTruth
from mmdet.models.assigners.coverage import Fate

STRIDES = (4, 4, 8, 16, 16)


def objects_of(scales: np.ndarray, *, images: int, side: int = 512, seed: int = 0) -> Objects:
    """Return squares of these sides, dealt out to images, at places by chance."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(scales[:, None] / 2, side - scales[:, None] / 2, (len(scales), 2))
    half = scales[:, None] / 2
    boxes = np.concatenate((centers - half, centers + half), 1)
    truth = GroundTruth(
        image=torch.arange(len(scales)) * images // len(scales),
        labels=torch.zeros(len(scales), dtype=torch.long),
        bboxes=torch.tensor(boxes, dtype=torch.float32),
        centers=torch.tensor(centers[:, ::-1].copy(), dtype=torch.float32),
        areas=torch.tensor(scales**2).ceil().long(),
        masks={},
    )
    return Objects(truth, torch.full((images, 2), float(side)), divisor=32)


@pytest.fixture
def mixed() -> Objects:
    return objects_of(np.geomspace(10, 400, 600), images=100)


def test_levels_share_the_objects_and_none_is_out_of_range(mixed):
    ranges = propose_ranges(mixed, (1,) * 5)
    coverage = mixed.coverage([40] * 5, ranges, 0.2)
    assert coverage.in_range.any(0).all()
    shares = coverage.in_range.double().mean(1)
    assert shares.min() > 0.27 and shares.max() < 0.4  # a third each: most objects have two levels


def test_ranges_overlap_as_in_solo(mixed):
    ranges = propose_ranges(mixed, STRIDES)
    assert ranges[0][0] == 1
    for (low, high), (next_low, next_high), (after, _) in zip(
        ranges, ranges[1:], ranges[2:], strict=False
    ):
        assert low < next_low < high < next_high
        assert high == after


def test_coarse_masks_get_no_objects_of_a_few_of_their_pixels():
    small = objects_of(np.geomspace(8, 30, 200), images=20)
    for (low, _), stride in zip(propose_ranges(small, STRIDES)[1:], STRIDES[1:], strict=True):
        assert low >= 6 * stride


def test_objects_of_one_size():
    same = objects_of(np.full(50, 80.0), images=50)
    ranges = propose_ranges(same, STRIDES)
    assert all(low < high for low, high in ranges)
    assert same.coverage([12] * 5, ranges, 0.2).in_range.any(0).all()


def test_larger_than_usual_objects_are_in_range():
    huge = objects_of(np.geomspace(1000, 6000, 50), images=50, side=8000)
    assert huge.coverage([12] * 5, propose_ranges(huge, STRIDES), 0.2).in_range.any(0).all()


@pytest.mark.parametrize(('median', 'factor'), [(80, 1), (40, 2), (160, 0.5), (2, 2), (4000, 0.25)])
def test_the_median_object_becomes_as_large_as_cocos(median, factor):
    scales = np.geomspace(median / 2, median * 2, 101)
    found = propose_factor(objects_of(scales, images=101, side=10000))
    assert found == pytest.approx(factor, rel=1e-3)


def test_few_objects_get_coarse_grids_and_many_get_fine_ones():
    ranges = [(1, 2048)]
    few = propose_grids(objects_of(np.full(40, 60.0), images=40), ranges)
    many = propose_grids(objects_of(np.full(2000, 12.0), images=40), ranges)
    assert few == (GRIDS[0],)
    assert many[0] >= 32


def test_a_grid_is_the_coarsest_that_loses_next_to_nothing(mixed):
    ranges = propose_ranges(mixed, STRIDES)
    for level, grid in zip(ranges, propose_grids(mixed, ranges), strict=True):
        shares = {each: share(mixed, each, level) for each in GRIDS}
        assert shares[grid] >= max(shares.values()) - 0.005
        assert all(shares[each] < max(shares.values()) - 0.005 for each in GRIDS if each < grid)


def share(objects: Objects, grid: int, level: tuple[float, float]) -> float:
    coverage = objects.coverage([grid], [level], 0.1)
    inside = coverage.in_range[0]
    return (coverage.fates[inside] == Fate.LEARNT).double().mean().item()


@pytest.mark.parametrize(
    'scales', [np.geomspace(8, 20, 2000), np.geomspace(150, 400, 60), np.geomspace(10, 400, 600)]
)
def test_a_proposal_learns_what_the_usual_grid_learns(scales):
    objects = objects_of(scales, images=60)
    settings = propose(objects, STRIDES)
    usual = objects.coverage(
        (40, 36, 24, 16, 12), ((1, 96), (48, 192), (96, 384), (192, 768), (384, 2048)), 0.2
    )
    assert settings.coverage(objects).recall >= usual.recall - 0.02
    kept = propose(objects, STRIDES, most=1.0, least=1.0)
    assert kept.factor == 1
    assert propose(objects, STRIDES, most=1.0).factor <= 1
    assert kept.coverage(objects).recall >= usual.recall - 0.02


def test_resized_objects_are_those_of_a_resized_image(mixed):
    half = mixed.resized(0.5)
    assert torch.equal(half.truth.bboxes, mixed.truth.bboxes * 0.5)
    assert torch.equal(half.sizes, mixed.sizes * 0.5)
    assert (half.truth.areas > 0).all()
    # Cells are shares of the image, so the same objects claim the same ones.
    ranges = ((1, 2048),)
    one, other = (each.coverage([12], ranges, 0.2) for each in (mixed, half))
    assert torch.equal(one.cell, other.cell)
    assert math.isclose(one.recall, other.recall)
