import pytest
import torch

from mmdet.errors import UserError
from mmdet.models import FPN


def test_levels_and_sizes():
    inputs = [torch.randn(1, c, s, s) for c, s in ((8, 32), (16, 16), (32, 8))]
    outs = FPN([8, 16, 32], 12, num_outs=5)(inputs)
    assert [tuple(out.shape) for out in outs] == [(1, 12, s, s) for s in (32, 16, 8, 4, 2)]


def test_coarse_levels_reach_fine_ones_and_not_the_reverse():
    neck = FPN([4, 4], 4, num_outs=2)
    fine, coarse = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 4, 4)
    first, second = neck([fine, coarse])
    other_first, _ = neck([fine, coarse + 1])
    assert not torch.allclose(first, other_first)
    changed_first, same_second = neck([fine + 1, coarse])
    assert not torch.allclose(first, changed_first)
    assert torch.equal(second, same_second)


def test_start_level_leaves_out_the_finest():
    neck = FPN([8, 16, 32], 4, num_outs=3, start_level=1)
    outs = neck([torch.randn(1, c, s, s) for c, s in ((8, 32), (16, 16), (32, 8))])
    assert [out.shape[-1] for out in outs] == [16, 8, 4]
    assert neck.lateral_convs[0].conv.in_channels == 16


def test_odd_sizes():
    outs = FPN([4, 4], 4, num_outs=2)([torch.randn(1, 4, 9, 7), torch.randn(1, 4, 5, 4)])
    assert outs[0].shape[-2:] == (9, 7)


def test_too_few_outs():
    with pytest.raises(UserError, match='num_outs'):
        FPN([4, 4, 4], 4, num_outs=2)


def test_other_channels_than_the_backbones_are_named():
    neck = FPN([8, 16], 4, num_outs=2)
    with pytest.raises(UserError, match=r'set model\.neck\.in_channels=\[4, 8\]'):
        neck([torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4)])
