"""What a grid can learn, beside what a head is given to learn."""

import numpy as np
import pytest
import torch

from mmdet.models.assigners import Coverage, Fate, grid_coverage, locate_instances
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from tests.samples import HEADS, rectangle, sample_of

RANGES = ((1, 24), (16, 48), (40, 90))
GRIDS = (8, 6, 4)


def coverage_of(samples: list[DetDataSample], **changed) -> Coverage:
    settings = dict(num_grids=GRIDS, scale_ranges=RANGES, pos_scale=0.2) | changed
    sizes = [sample.batch_input_shape for sample in samples]
    truth = locate_instances([sample.gt_instances for sample in samples])
    return grid_coverage(truth, image_sizes=sizes, **settings)


def random_sample(rng: np.random.Generator, shape: tuple[int, int], number: int) -> DetDataSample:
    """Return crowded boxes of all sizes; each fifth has an empty mask."""
    height, width = shape
    corners = np.sort(rng.integers(0, np.array([[width, height]] * 2), (number, 2, 2)), axis=1)
    corners[:, 1] += 1
    boxes = corners.reshape(-1, 4).tolist()
    masks = [rectangle(height, width, box) * (index % 5 > 0) for index, box in enumerate(boxes)]
    return sample_of(boxes, rng.integers(0, 7, number).tolist(), shape=shape, masks=masks)


@pytest.mark.parametrize('kind', ['solo', 'solov2'])
def test_it_is_what_the_head_is_given_to_learn(tiny_model, kind):
    """Cell by cell, the labels and the instances whose masks are learnt."""
    settings = dict(num_grids=(12, 10, 8, 6, 5), pos_scale=0.4)
    cfg = dict(tiny_model['mask_head'], **HEADS[kind], **settings)
    head = MODELS.build(cfg)
    rng = np.random.default_rng(0)
    samples = [random_sample(rng, (96, 128), number) for number in (40, 0, 9)]
    targets = head.targets(samples)
    found = coverage_of(samples, scale_ranges=head.scale_ranges, **settings)

    of_each = torch.cat([sample.gt_instances.labels for sample in samples])
    grids = torch.tensor(head.num_grids)
    before = (grids**2).cumsum(0) - grids**2
    labels = torch.full_like(targets.labels, head.num_classes)
    won = found.wins
    places = before[found.level[won]] + found.cell[won]
    labels[found.image[won], places] = of_each[found.instance[won]]
    torch.testing.assert_close(labels, targets.labels)
    assert won.sum() < len(won)  # several claim a cell

    for level, learnt in enumerate(targets.learnt):
        here = (found.level == level) & (won | (kind == 'solov2'))
        assert found.instance[here].tolist() == learnt.instances.tolist()
        assert found.cell[here].tolist() == torch.cat(learnt.cells).tolist()


def test_why_an_instance_is_not_learnt():
    masks = [(40, 30, 60, 50), (0, 0, 3, 3), (8, 8, 120, 92), (41, 31, 59, 49), (41, 31, 59, 49)]
    bitmaps = [rectangle(96, 128, box) for box in masks]
    bitmaps[1][:] = 0
    found = coverage_of([sample_of(masks, masks=bitmaps)], pos_scale=0.01)
    learnt, empty, no_range, lost = Fate.LEARNT, Fate.EMPTY, Fate.NO_RANGE, Fate.LOST
    assert found.fates.tolist() == [lost, empty, no_range, lost, learnt]
    assert found.recall == pytest.approx(1 / 5)
    assert found.scales[2] == pytest.approx((112 * 84) ** 0.5)
    assert found.in_range[:, :3].T.tolist() == [
        [True, True, False],
        [True, False, False],
        [False, False, False],
    ]
    # At one cell of two levels each: all claim it, and the last has it.
    assert found.claimed.T.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0], [1, 1, 0], [1, 1, 0]]
    assert found.kept.T.tolist() == [[0, 0, 0]] * 4 + [[1, 1, 0]]
    assert found.contested.tolist() == [1, 1, 0]
    assert set(found.winner.tolist()) == {4}
    assert found.is_contested.all()


def test_a_cell_of_one_alone_is_not_contested():
    """Nor do images, or levels, contest each other's."""
    box = (40, 30, 60, 50)
    found = coverage_of([sample_of([box]), sample_of([box]), sample_of([(41, 31, 59, 49)])])
    assert not found.is_contested.any()
    assert found.contested.tolist() == [0, 0, 0]
    assert found.winner.tolist() == found.instance.tolist()
    assert found.recall == 1


def test_images_of_any_sizes_together_are_each_as_alone():
    rng = np.random.default_rng(1)
    shapes = [(96, 128), (64, 64), (128, 96), (64, 32), (96, 96)]
    numbers = [12, 0, 20, 1, 30]
    samples = [random_sample(rng, *each) for each in zip(shapes, numbers, strict=True)]
    together = coverage_of(samples)
    alone = [coverage_of([sample]) for sample in samples]
    for name in ('fates', 'scales', 'areas'):
        expected = torch.cat([getattr(each, name) for each in alone])
        torch.testing.assert_close(getattr(together, name), expected)
    for name in ('in_range', 'claimed', 'kept'):
        expected = torch.cat([getattr(each, name) for each in alone], 1)
        torch.testing.assert_close(getattr(together, name), expected)
    assert together.contested.tolist() == sum(each.contested for each in alone).tolist()
    for image, each in enumerate(alone):
        here = together.image == image
        before = sum(numbers[:image])
        assert (together.instance[here] - before).tolist() == each.instance.tolist()
        assert (together.winner[here] - before).tolist() == each.winner.tolist()
        assert together.cell[here].tolist() == each.cell.tolist()
        assert together.level[here].tolist() == each.level.tolist()


def test_no_instances_and_no_images():
    for samples in ([], [sample_of([])]):
        found = coverage_of(samples)
        assert found.recall == 1
        assert found.contested.tolist() == [0, 0, 0]
        assert found.kept.shape == (3, 0)
