import pytest
import torch
import torch.nn.functional as F

from tests.samples import rectangle, sample_of


@pytest.fixture
def head(build_head):
    return build_head('solo')


def test_a_cells_mask_is_its_channel_of_the_published_form(head, feats):
    """Resize first, convolve to all S * S maps, then pick: what the published code does."""
    outputs = head(feats)
    for level, num_grid in enumerate(head.num_grids):
        features = torch.stack(head.source(outputs, level, [0, 1]))
        doubled = F.interpolate(features, scale_factor=2, mode='bilinear')
        all_maps = head.conv_mask_list[level](doubled)
        cells = torch.tensor([0, num_grid**2 - 1, 4, 4])
        masks = head.cell_masks(head.source(outputs, level, [1, 0]), level, [cells, cells[:2]])
        expected = torch.cat((all_maps[1, cells], all_maps[0, cells[:2]]))
        torch.testing.assert_close(masks[0], expected, atol=1e-5, rtol=1e-5)


def test_a_cell_that_two_instances_claim_learns_the_later_mask_alone(head, feats):
    """Labels, masks and the number of positives come from the same winners."""
    box = (40, 30, 60, 50)
    full, core = rectangle(96, 128, box), rectangle(96, 128, (44, 34, 56, 46))  # one centre
    both = head.loss(feats, [sample_of([box, box], [0, 1], masks=[full, core]), sample_of([])])
    later = head.loss(feats, [sample_of([box], [1], masks=[core]), sample_of([])])
    earlier = head.loss(feats, [sample_of([box], [0], masks=[full]), sample_of([])])
    assert not torch.isclose(earlier['loss_mask'], later['loss_mask'])
    for name in both:
        torch.testing.assert_close(both[name], later[name])
