"""The layer is `nn.Conv2d` to whoever builds, loads or exports it, and ours where it runs."""

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmdet.models.layers import Conv3x3, conv_tower, use_conv3x3
from mmdet.models.layers import conv3x3 as layer_module
from mmdet.ops._first_use import may_use_kernel
from mmdet.ops.conv3x3 import conv3x3
from mmdet.registry import MODELS
from tests.conftest import REPO

# Two that predict lines are never run as convolutions; see `draw_lines`.
NEVER_RUN = ('conv_mask_list_x', 'conv_mask_list_y')


@pytest.fixture
def asked(monkeypatch) -> list[torch.Size]:
    """The sizes of the images that `conv3x3` was asked to convolve."""
    sizes = []

    def recorded(input, weight, bias):
        sizes.append(input.shape)
        return conv3x3(input, weight, bias)

    monkeypatch.setattr(layer_module, 'conv3x3', recorded)
    return sizes


@pytest.mark.parametrize('bias', [True, False])
def test_it_is_an_ordinary_convolution(asked, bias):
    arguments = dict(kernel_size=3, padding=1, bias=bias)
    ours, ordinary = Conv3x3(4, 6, **arguments), nn.Conv2d(4, 6, **arguments)
    ordinary.load_state_dict(ours.state_dict())
    feature = torch.randn(2, 4, 9, 7)
    assert torch.equal(ours(feature), ordinary(feature))
    assert asked == [feature.shape]


@pytest.mark.parametrize(
    'other',
    [
        dict(stride=2),
        dict(padding=0),
        dict(padding='same'),
        dict(dilation=2),
        dict(groups=2),
        dict(kernel_size=1),
        dict(padding_mode='reflect'),
    ],
)
def test_other_convolutions_are_pytorchs(asked, other):
    arguments = {**dict(kernel_size=3, padding=1), **other}
    ours, ordinary = Conv3x3(4, 6, **arguments), nn.Conv2d(4, 6, **arguments)
    ordinary.load_state_dict(ours.state_dict())
    feature = torch.randn(2, 4, 9, 7)
    assert torch.equal(ours(feature), ordinary(feature))
    assert asked == []


def test_it_takes_over_what_others_built():
    block = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, stride=2, padding=1)),
    )
    parameters, state = dict(block.named_parameters()), torch.get_rng_state()
    feature = torch.randn(1, 3, 8, 8)
    wanted = block(feature)
    torch.set_rng_state(state)
    use_conv3x3(block)
    assert torch.equal(torch.get_rng_state(), state)
    assert [type(block[0]), *map(type, block[1])] == [Conv3x3, nn.Conv2d, Conv3x3]
    taken = dict(block.named_parameters())
    assert list(taken) == list(parameters)
    assert all(taken[name] is parameters[name] for name in parameters)
    assert torch.equal(block(feature), wanted)


@pytest.mark.parametrize(
    'config',
    [
        'solo/solo_r50_fpn_1x_coco.py',
        'solo/decoupled-solo_r50_fpn_1x_coco.py',
        'solov2/solov2_r18_fpn_shapes-cpu.py',
    ],
)
def test_every_3x3_convolution_of_a_model_is_ours(config):
    cfg = Config.fromfile(REPO / 'configs' / config)
    cfg.model.backbone.init_cfg = None
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    others = {
        name.rpartition('.')[0]
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
        and module.kernel_size == (3, 3)
        and type(module) is not Conv3x3
    }
    assert {name.split('.')[-1] for name in others} <= set(NEVER_RUN)


def test_a_tower_learns_the_same_with_the_kernel(monkeypatch):
    tower = conv_tower(18, 32, 2, norm_cfg=dict(type='GN', num_groups=8))
    feature, found = torch.randn(2, 18, 32, 40), {}
    for off in ('1', '0'):
        monkeypatch.setenv('MMDET_NO_WINOGRAD', off)
        tower.zero_grad()
        tower(feature).square().mean().backward()
        found[off] = [parameter.grad.clone() for parameter in tower.parameters()]
    for ours, plain in zip(found['0'], found['1'], strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5 * plain.abs().max().item())
    if may_use_kernel('conv3x3', feature):
        assert not all(map(torch.equal, found['0'], found['1'])), 'the kernel did not run'


def test_an_init_cfg_for_conv2d_reaches_it():
    neck = MODELS.build(dict(type='FPN', in_channels=[4, 4], out_channels=4, num_outs=2))
    for conv in neck.fpn_convs:
        nn.init.ones_(conv.conv.bias)
    neck.init_weights()
    assert not any(conv.conv.bias.any() for conv in neck.fpn_convs)
