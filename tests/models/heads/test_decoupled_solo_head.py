import pytest
import torch
import torch.nn.functional as F

from mmdet.errors import UserError
from mmdet.models.heads.decoupled_solo_head import draw_lines


@pytest.mark.parametrize('lines', [[], [2], [4, 0, 4], [0, 1, 2, 3, 4, 3, 2, 1]], ids=len)
def test_lines_are_channels_of_the_published_form(lines):
    """Double the features first, convolve, then pick: what the published code does."""
    conv = torch.nn.Conv2d(6, 5, 3, padding=1).double()
    features = torch.randn(2, 6, 7, 4, dtype=torch.double, requires_grad=True)
    lines = [torch.tensor(lines, dtype=torch.long), torch.tensor([1])]
    doubled = F.interpolate(features, scale_factor=2, mode='bilinear')
    every = conv(doubled)
    expected = torch.cat([every[0, lines[0]], every[1, lines[1]]])
    ours = draw_lines(conv, features.unbind(), lines)
    torch.testing.assert_close(ours, expected)

    weights = torch.randn_like(expected)
    inputs = (features, *conv.parameters())
    expected_gradients = torch.autograd.grad((expected * weights).sum(), inputs)
    for ours_, theirs in zip(
        torch.autograd.grad((ours * weights).sum(), inputs), expected_gradients, strict=True
    ):
        torch.testing.assert_close(ours_, theirs)


def test_nothing_of_the_doubled_size_is_kept_for_the_backward_pass():
    conv = torch.nn.Conv2d(16, 5, 3, padding=1)
    feature = torch.randn(16, 8, 8, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, id):
        draw_lines(conv, [feature], [torch.tensor([0, 3])])
    assert kept
    assert max(kept) <= feature.numel()


@pytest.mark.parametrize('kind', ['decoupled', 'decoupled-light'])
def test_a_mask_is_its_columns_map_times_its_rows(kind, build_head, feats):
    head = build_head(kind)
    outputs = head(feats)
    level, row, column = 1, 6, 2
    cell = torch.tensor([row * head.num_grids[level] + column])
    x, y = head.cell_masks(head.source(outputs, level, [1]), level, [cell])
    columns, rows = (torch.stack(part) for part in head.source(outputs, level, [0, 1]))
    doubled = [F.interpolate(part, scale_factor=2, mode='bilinear') for part in (columns, rows)]
    expected_x = head.conv_mask_list_x[level](doubled[0])[1, column]
    expected_y = head.conv_mask_list_y[level](doubled[1])[1, row]
    torch.testing.assert_close(x[0], expected_x, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(y[0], expected_y, atol=1e-4, rtol=1e-4)
    probability = head.cell_probabilities(outputs, 1, level, cell)
    sizes = outputs.mask_size
    separately = [
        F.interpolate(part.sigmoid()[None, None], size=sizes, mode='bilinear')
        for part in (expected_x, expected_y)
    ]
    torch.testing.assert_close(
        probability, (separately[0] * separately[1])[0], atol=1e-4, rtol=1e-4
    )


def test_a_loss_that_would_activate_twice_is_refused(build_head):
    with pytest.raises(UserError, match='activate=False in loss_mask'):
        build_head('decoupled', loss_mask=dict(type='DiceLoss', activate=True))
