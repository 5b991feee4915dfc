import torch
import torch.nn.functional as F

from mmdet.models import FPN, PAFPN

CHANNELS = [8, 16, 24]


def features() -> list[torch.Tensor]:
    sizes = ((29, 38), (15, 19), (8, 10))
    return [torch.randn(2, c, *size).double() for c, size in zip(CHANNELS, sizes, strict=True)]


def test_levels_are_the_papers():
    """N_2 is P_2; N_i+1 is a convolution of P_i+1 and of N_i, before its own, at half its size."""
    neck = PAFPN(CHANNELS, 12, num_outs=4).double()
    below = FPN(CHANNELS, 12, num_outs=3).double()
    below.lateral_convs, below.fpn_convs = neck.lateral_convs, neck.fpn_convs
    feats = features()
    sum_, *coarser = below(feats)
    expected = [sum_]
    for level, down, conv in zip(coarser, neck.downsample_convs, neck.pafpn_convs, strict=True):
        sum_ = level + F.conv2d(sum_, down.conv.weight, down.conv.bias, stride=2, padding=1)
        expected.append(F.conv2d(sum_, conv.conv.weight, conv.conv.bias, padding=1))
    expected.append(expected[-1][..., ::2, ::2])
    found = neck(feats)
    torch.testing.assert_close(list(found), expected)
    gradients = [
        torch.autograd.grad(sum(out.square().sum() for out in outs), list(neck.parameters()))
        for outs in (found, expected)
    ]
    torch.testing.assert_close(*gradients)


def test_parameters_are_mmdetections():
    neck = PAFPN(CHANNELS, 12, num_outs=5, start_level=1, add_extra_convs='on_output')
    kinds = {'lateral_convs': 2, 'fpn_convs': 5, 'downsample_convs': 1, 'pafpn_convs': 1}
    names = [f'{kind}.{i}.conv' for kind, number in kinds.items() for i in range(number)]
    assert list(neck.state_dict()) == [f'{n}.{leaf}' for n in names for leaf in ('weight', 'bias')]


def test_coarse_levels_see_fine_ones():
    neck = PAFPN(CHANNELS, 12, num_outs=3).double()
    feats = features()
    coarsest = neck(feats)[-1]
    feats[0] += 1
    assert not torch.allclose(neck(feats)[-1], coarsest)
