import pytest
import torch

from mmdet.errors import UserError
from mmdet.models.layers import DeformConv2d, ModulatedDeformConv2d, conv_tower
from mmdet.registry import MODELS

KINDS = [DeformConv2d, ModulatedDeformConv2d]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('groups', [1, 2])
def test_it_begins_as_an_ordinary_convolution(kind, groups):
    layer = kind(4, 6, 3, stride=2, padding=1, groups=groups)
    feature = torch.randn(2, 4, 9, 7)
    ordinary = torch.nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=groups)
    ordinary.load_state_dict({name: layer.state_dict()[name] for name in ('weight', 'bias')})
    # A modulated one weighs everything by sigmoid(0), a half.
    factor = 0.5 if kind is ModulatedDeformConv2d else 1
    bias = ordinary.bias.detach()[:, None, None]
    torch.testing.assert_close(layer(feature) - bias, (ordinary(feature) - bias) * factor)


def test_an_offset_moves_what_is_read():
    """One pixel to the right: y stands first in a pair of offsets."""
    layer = DeformConv2d(1, 1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.conv_offset.bias.copy_(torch.tensor([0.0, 1.0]))
    feature = torch.randn(1, 1, 4, 5)
    moved = layer(feature)
    torch.testing.assert_close(moved[..., :-1], feature[..., 1:])
    assert (moved[..., -1] == 0).all()


def test_parameters_have_mmcvs_names_and_shapes():
    layer = ModulatedDeformConv2d(4, 6, 3, padding=1, bias=False, deform_groups=2)
    assert {name: tuple(value.shape) for name, value in layer.state_dict().items()} == {
        'weight': (6, 4, 3, 3),
        'conv_offset.weight': (2 * 27, 4, 3, 3),
        'conv_offset.bias': (2 * 27,),
    }
    assert DeformConv2d(4, 6, 3).conv_offset.out_channels == 18


def test_older_configs_name_the_groups_otherwise():
    cfg = dict(type='DCNv2', in_channels=4, out_channels=4, kernel_size=1)
    assert MODELS.build({**cfg, 'deformable_groups': 4}).num_positions == 4
    with pytest.raises(UserError, match='fallback_on_stride'):
        MODELS.build({**cfg, 'fallback_on_stride': True})


@pytest.mark.parametrize('kind', KINDS)
def test_under_autocast_positions_keep_their_precision(kind):
    layer = kind(4, 4, 3, padding=1)
    with torch.no_grad():
        layer.conv_offset.bias.fill_(1.3)
    feature = torch.randn(1, 4, 8, 8).bfloat16()
    expected = layer(feature.float())
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(layer(feature), expected)


def test_every_parameter_of_a_tower_gets_a_gradient():
    tower = conv_tower(3, 4, 2, norm_cfg=dict(type='GN', num_groups=2), dcn_cfg=dict(type='DCNv2'))
    tower(torch.randn(1, 3, 6, 6)).square().sum().backward()
    for name, parameter in tower.named_parameters():
        assert parameter.grad.isfinite().all(), name
    assert tower[0].conv.conv_offset.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('kind', [DeformConv2d, ModulatedDeformConv2d])
def test_initialised_anew_it_is_an_ordinary_convolution_again(kind):
    layer = kind(4, 8, 3, padding=1)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=5)
    layer.init_weights()
    assert layer.weight.abs().max() <= 1 / 36**0.5  # `nn.Conv2d`'s bound: 1 / sqrt(fan in)
    assert layer.weight.std() > 0
    assert all((parameter == 0).all() for parameter in layer.conv_offset.parameters())
