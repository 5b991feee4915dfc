import numpy as np
import torch

from mmdet.models.assigners import GridTargets, assign_grid, gather_ground_truth, split_claims
from tests.samples import sample_of

BACKGROUND = 9


def assign(samples, *, num_grids=(8,), scale_ranges=((1, 512),), pos_scale=0.2) -> GridTargets:
    size = samples[0].img_shape
    truth = gather_ground_truth(samples, image_size=size, mask_strides=(4,))
    return assign_grid(
        truth,
        num_images=len(samples),
        image_size=size,
        num_grids=num_grids,
        scale_ranges=scale_ranges,
        pos_scale=pos_scale,
        num_classes=BACKGROUND,
    )


def test_a_small_instance_claims_the_cell_of_its_center():
    # Cells of a 96 x 128 image on an 8 x 8 grid are 12 x 16 pixels.
    targets = assign([sample_of([(50, 26, 60, 34)], [4])])
    assert targets.cell.tolist() == [2 * 8 + 3]
    assert targets.labels.view(8, 8)[2, 3] == 4
    assert (targets.labels == BACKGROUND).sum() == 63


def test_a_large_instance_claims_at_most_one_cell_either_side():
    targets = assign([sample_of([(0, 0, 128, 96)], [4])], pos_scale=1.0)
    rows, columns = targets.cell // 8, targets.cell % 8
    # Its centre of mass is (47.5, 63.5): row 3 and column 3.
    assert sorted(set(rows.tolist())) == [2, 3, 4]
    assert sorted(set(columns.tolist())) == [2, 3, 4]
    assert len(targets.cell) == 9


def test_claims_end_at_the_grid():
    targets = assign([sample_of([(0, 0, 20, 14)], [4])], pos_scale=3.0)
    assert sorted(targets.cell.tolist()) == [0, 1, 8, 9]


def test_center_is_the_masks_not_the_boxs():
    mask = np.zeros((96, 128), np.uint8)
    mask[0:90, 0:4] = 1  # an L whose mass lies on the left
    mask[86:90, 0:120] = 1
    targets = assign([sample_of([(0, 0, 120, 90)], masks=[mask])], pos_scale=0.01)
    y, x = mask.nonzero()
    assert targets.cell.tolist() == [int(y.mean() // 12) * 8 + int(x.mean() // 16)]


def test_scale_ranges_hold_both_their_ends():
    square = sample_of([(16, 16, 48, 48)])  # sqrt(32 * 32) = 32
    ranges = ((1, 31.9), (8, 32), (32, 64), (32.1, 100))
    targets = assign([square], num_grids=(4, 4, 4, 4), scale_ranges=ranges)
    assert sorted(set(targets.level.tolist())) == [1, 2]


def test_the_later_annotation_wins_a_cell():
    targets = assign([sample_of([(40, 30, 60, 50), (42, 32, 62, 52), (41, 31, 61, 51)], [3, 5, 1])])
    assert len(targets.cell.unique()) < len(targets.cell)
    by_cell = {}
    for cell, instance in zip(targets.cell.tolist(), targets.instance.tolist(), strict=True):
        by_cell.setdefault(cell, []).append(instance)
    for cell, claims in by_cell.items():
        assert targets.labels[0, cell] == [3, 5, 1][max(claims)]
    won = targets.cell[targets.wins]
    assert sorted(won.tolist()) == sorted(by_cell)  # one winner for each claimed cell


def test_an_empty_mask_is_skipped():
    targets = assign([sample_of([(40, 30, 60, 50)], [3], masks=[np.zeros((96, 128), np.uint8)])])
    assert len(targets.cell) == 0
    assert (targets.labels == BACKGROUND).all()


def test_images_do_not_meet():
    one, other = sample_of([(40, 30, 60, 50)], [3]), sample_of([(100, 60, 120, 80)], [5])
    together = assign([one, sample_of([]), other], num_grids=(8, 6), scale_ranges=((1, 99),) * 2)
    for image, sample in enumerate((one, sample_of([]), other)):
        alone = assign([sample], num_grids=(8, 6), scale_ranges=((1, 99),) * 2)
        torch.testing.assert_close(together.labels[image], alone.labels[0])
    order = list(zip(together.level.tolist(), together.image.tolist(), strict=True))
    assert order == sorted(order)


def test_claims_are_split_by_level_and_image():
    one, other = sample_of([(40, 30, 60, 50), (0, 0, 9, 9)]), sample_of([(100, 60, 120, 80)])
    targets = assign(
        [one, sample_of([]), other],
        num_grids=(8, 6, 4),
        scale_ranges=((1, 99), (99, 100), (15, 99)),
    )
    chosen = torch.arange(0, len(targets.cell), 2)
    levels = split_claims(targets, chosen, num_levels=3, device=torch.device('cpu'))
    for level, claims in enumerate(levels):
        expected = [index for index in chosen.tolist() if targets.level[index] == level]
        for image, cells in enumerate(claims.cells):
            here = [index for index in expected if targets.image[index] == image]
            assert cells.tolist() == targets.cell[here].tolist()
            assert (image in claims.images) == bool(here)
        assert claims.instances.tolist() == targets.instance[expected].tolist()
    assert [len(claims.cells) for claims in levels] == [3, 3, 3]
    assert len(levels[0].instances) > 0 and len(levels[2].instances) > 0
    assert len(levels[1].instances) == 0


def test_no_instances_at_all():
    targets = assign([sample_of([]), sample_of([])])
    assert targets.labels.shape == (2, 64)
    assert (targets.labels == BACKGROUND).all()
    assert len(targets.cell) == len(targets.wins) == 0


def test_a_cells_edge_belongs_where_the_division_puts_it():
    for row in range(96):
        sample = sample_of([(0, row, 8, row + 1)])
        center = torch.tensor(float(row))
        expected = int(torch.div(center / 96, 1 / 40, rounding_mode='trunc'))
        targets = assign([sample], num_grids=(40,), pos_scale=0.0)
        assert (targets.cell // 40).tolist() == [expected]
