"""Views of random grids whose `draw` looks masks up."""

import pytest
import torch

from mmdet.models.views import View, merged, mirrored_cells, resized, unflipped

GRIDS = (5, 4)
AXES = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}


def view_of(scores, masks, *, img_shape=(64, 64)) -> View:
    """Return a view with (S * S, h, w) masks at each level."""
    return View(
        scores=scores,
        draw=lambda level, cells: masks[level][cells],
        strides=(8, 16),
        mask_size=tuple(masks[0].shape[-2:]),
        img_shape=img_shape,
    )


def random_grids():
    """Return scores and masks of two levels."""
    scores = [torch.rand(3, side, side) for side in GRIDS]
    return scores, [torch.rand(side * side, 16, 24) for side in GRIDS]


@pytest.mark.parametrize('direction', AXES)
def test_a_mirror_image_says_what_the_image_says(direction):
    """Everything that a network says of a cell, it says of the mirror image's."""
    scores, masks = random_grids()
    axes = AXES[direction]
    mirrored_masks = [
        mask.unflatten(0, (side, side)).flip([axis - 2 for axis in axes] + list(axes)).flatten(0, 1)
        for mask, side in zip(masks, GRIDS, strict=True)
    ]
    mirrored = view_of([each.flip(axes) for each in scores], mirrored_masks)
    found = unflipped(mirrored, direction)
    for level, side in enumerate(GRIDS):
        assert torch.equal(found.scores[level], scores[level])
        cells = torch.randperm(side * side)[:7]
        assert torch.equal(found.draw(level, cells), masks[level][cells])


def test_mirrored_twice_a_cell_is_itself():
    cells = torch.arange(20)
    for direction in AXES:
        there = mirrored_cells(cells, 5, direction)
        assert not torch.equal(there, cells)
        assert torch.equal(mirrored_cells(there, 5, direction), cells)


def slope(mask_size, img_shape, ori_shape=(100, 200)):
    """Return a mask that rises over an image from its left to its right, and downwards."""
    rows = (torch.arange(mask_size[0]) + 0.5) * 4 * ori_shape[0] / img_shape[0]
    columns = (torch.arange(mask_size[1]) + 0.5) * 4 * ori_shape[1] / img_shape[1]
    return (rows[:, None] / 1000 + columns / 500)[None]


def test_resized_masks_lie_where_they_lay_in_the_image():
    """Whatever the scales and the paddings: 200 x 100 pixels, padded by 24 x 28 and by 0 x 12."""
    small = dict(mask_size=(32, 56), img_shape=(100, 200))
    large = dict(mask_size=(53, 100), img_shape=(200, 400))
    view = view_of([torch.rand(1, 1, 1)], [slope(**small)], img_shape=small['img_shape'])
    (found,) = resized(view, **large).draw(0, torch.tensor([0]))
    (expected,) = slope(**large)
    assert found.shape == expected.shape
    # Nothing is known beyond the middle of the outermost pixels.
    inner = (slice(1, 50), slice(1, 99))
    torch.testing.assert_close(found[inner], expected[inner], atol=1e-5, rtol=0)


def test_a_mask_must_be_as_large_in_its_own_view():
    """Twice the sides are four times the pixels."""
    scores, masks = random_grids()
    view = view_of(scores, masks, img_shape=(64, 96))
    assert resized(view, mask_size=(32, 48), img_shape=(128, 192)).strides == [32, 64]


def test_no_cells_are_no_masks():
    scores, masks = random_grids()
    view = resized(view_of(scores, masks), mask_size=(20, 20), img_shape=(70, 70))
    assert view.draw(1, torch.zeros(0, dtype=torch.long)).shape == (0, 20, 20)


def test_views_are_averaged():
    first, second = random_grids(), random_grids()
    view = merged([view_of(*first), view_of(*second)])
    cells = torch.tensor([3, 8])
    torch.testing.assert_close(view.scores[1], (first[0][1] + second[0][1]) / 2)
    expected = (first[1][1][cells] + second[1][1][cells]) / 2
    torch.testing.assert_close(view.draw(1, cells), expected)


def test_the_largest_view_gives_the_frame():
    scores, masks = random_grids()
    small = view_of(scores, masks, img_shape=(60, 90))
    large = view_of(scores, [torch.rand(s * s, 32, 40) for s in GRIDS], img_shape=(120, 150))
    view = merged([small, large])
    assert (view.mask_size, view.img_shape, view.strides) == ((32, 40), (120, 150), (8, 16))
    assert view.draw(0, torch.tensor([1])).shape == (1, 32, 40)
