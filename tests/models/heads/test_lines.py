import pytest
import torch
import torch.nn.functional as F

from mmdet.models.heads.lines import KnownLines, draw_lines, draw_lines_of_cells


@pytest.mark.parametrize('lines', [[], [2], [4, 0, 4], [0, 1, 2, 3, 4, 3, 2, 1]], ids=len)
def test_lines_are_channels_of_the_published_form(lines):
    """Double the features first, convolve, then pick: what the published code does."""
    conv = torch.nn.Conv2d(6, 5, 3, padding=1).double()
    features = torch.randn(2, 6, 7, 4, dtype=torch.double, requires_grad=True)
    lines = [torch.tensor(lines, dtype=torch.long), torch.tensor([1])]
    doubled = F.interpolate(features, scale_factor=2, mode='bilinear')
    every = conv(doubled)
    expected = torch.cat([every[0, lines[0]], every[1, lines[1]]])
    weights = torch.randn_like(expected)
    inputs = (features, *conv.parameters())
    expected_gradients = torch.autograd.grad((expected * weights).sum(), inputs)
    for draw in (draw_lines, draw_lines_of_cells):
        ours = draw(conv, features.unbind(), lines)
        torch.testing.assert_close(ours, expected)
        gradients = torch.autograd.grad((ours * weights).sum(), inputs)
        torch.testing.assert_close(gradients, expected_gradients)


def test_nothing_of_the_doubled_size_is_kept_for_the_backward_pass():
    conv = torch.nn.Conv2d(16, 5, 3, padding=1)
    feature = torch.randn(16, 8, 8, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, id):
        draw_lines(conv, [feature], [torch.tensor([0, 3])])
    assert kept
    assert max(kept) <= feature.numel()


def test_a_line_of_many_cells_is_drawn_once(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        'mmdet.models.heads.lines.draw_lines',
        lambda conv, features, lines: (
            drawn.append([each.tolist() for each in lines]) or draw_lines(conv, features, lines)
        ),
    )
    conv = torch.nn.Conv2d(4, 5, 3, padding=1)
    lines = [torch.tensor([4, 0, 4, 4]), torch.tensor([4])]
    draw_lines_of_cells(conv, torch.randn(2, 4, 3, 3).unbind(), lines)
    assert drawn == [[[0, 4], [4]]]


def test_known_lines_are_computed_once():
    maps = torch.randn(6, 3, 2)
    asked = []
    known = KnownLines(lambda lines: asked.append(lines.tolist()) or maps[lines])
    for lines in ([4, 1, 4], [], [1], [5, 1, 0], [0, 4, 5, 1]):
        assert torch.equal(known[torch.tensor(lines, dtype=torch.long)], maps[lines])
    assert asked == [[1, 4], [0, 5]]


def test_there_may_be_no_line_at_first():
    known = KnownLines(lambda lines: torch.ones(len(lines), 3, 2))
    assert known[torch.zeros(0, dtype=torch.long)].shape == (0, 3, 2)
    assert known[torch.tensor([2])].shape == (1, 3, 2)
