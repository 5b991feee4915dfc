"""Learning rates by layers, on timm's networks and beside mmdetection's own formula."""

import re

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmdet.errors import UserError
from mmdet.models import ResNet, TIMMBackbone

pytest.importorskip('timm')


class Detector(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Conv2d(3, 3, 1)


@pytest.fixture(scope='module')
def convnext() -> Detector:
    """ConvNeXt with 27 blocks in its third stage, as the small one, and narrow."""
    arguments = dict(depths=(1, 1, 27, 1), dims=(8, 8, 8, 8))
    return Detector(TIMMBackbone('convnext_small', **arguments))


@pytest.fixture(scope='module')
def swin() -> Detector:
    arguments = dict(embed_dim=8, num_heads=(1, 1, 1, 1), depths=(1, 1, 2, 1))
    return Detector(TIMMBackbone('swin_tiny_patch4_window7_224', **arguments))


def groups_of(model: nn.Module, optimizer: dict | None = None, **paramwise: object) -> dict:
    """Return the learning rate and the weight decay of each parameter."""
    wrapper = build_optim_wrapper(
        model,
        dict(
            constructor='LearningRateDecayOptimizerConstructor',
            optimizer=optimizer or dict(type='AdamW', lr=0.1, weight_decay=0.05),
            paramwise_cfg=paramwise,
        ),
    )
    names = {id(weight): name for name, weight in model.named_parameters()}
    found = {
        names[id(weight)]: (group['lr'], group['weight_decay'])
        for group in wrapper.optimizer.param_groups
        for weight in group['params']
    }
    assert len(found) == sum(each.requires_grad for each in model.parameters())
    return found


def mmdetections_layer(name: str, kind: str) -> int:
    """Its rule, for its names: `stages.i.j` and `downsample_layers.i`, of which the stem is 0."""
    down = re.match(r'stages_(\d)\.downsample', name)
    block = re.match(r'stages_(\d)\.blocks\.(\d+)', name)
    if kind == 'stage_wise':
        return int(block[1]) + 1 if block else 0
    if down:
        return {1: 2, 2: 3, 3: 12}[int(down[1])]
    if block:
        return {0: 1, 1: 2, 2: 3 + int(block[2]) // 3, 3: 12}[int(block[1])]
    return 0


@pytest.mark.parametrize('kind', ['layer_wise', 'stage_wise'])
def test_convnexts_rates_are_mmdetections(convnext, kind):
    found = groups_of(convnext, decay_rate=0.7, decay_type=kind, num_layers=12)
    weights = dict(convnext.named_parameters())
    for name, (lr, decay) in found.items():
        own = name.removeprefix('backbone.timm_model.')
        layer = 13 if name.startswith('head') else mmdetections_layer(own, kind)
        assert lr == pytest.approx(0.1 * 0.7 ** (12 + 2 - layer - 1)), name
        assert decay == (0.0 if weights[name].ndim == 1 else 0.05), name
    assert len({lr for lr, _ in found.values()}) == (14 if kind == 'layer_wise' else 6)


def test_of_other_networks_the_layers_are_timms(swin):
    found = groups_of(swin, decay_rate=0.5)
    blocks = [
        'patch_embed.proj',
        *(f'layers_{i}.blocks.{j}.mlp.fc1' for i, j in ((0, 0), (1, 0), (2, 0), (2, 1), (3, 0))),
    ]
    rates = [found[f'backbone.timm_model.{name}.weight'][0] for name in blocks]
    assert rates == pytest.approx([0.1 * 0.5**n for n in (6, 5, 4, 3, 2, 1)])
    assert found['head.weight'] == (0.1, 0.05) and found['head.bias'] == (0.1, 0.0)
    bias = 'backbone.timm_model.layers_0.blocks.0.attn.relative_position_bias_table'
    assert found[bias][1] == 0.0  # as timm wants it
    by_stage = groups_of(swin, decay_rate=0.5, decay_type='stage_wise')
    rates = [by_stage[f'backbone.timm_model.{name}.weight'][0] for name in blocks]
    assert rates == pytest.approx([0.1 * 0.5**n for n in (5, 4, 3, 2, 2, 1)])


def test_frozen_parameters_are_left_out(swin, monkeypatch):
    stem = swin.backbone.timm_model.patch_embed.proj.weight
    monkeypatch.setattr(stem, 'requires_grad', False)
    assert 'backbone.timm_model.patch_embed.proj.weight' not in groups_of(swin, decay_rate=0.5)


def test_a_step_goes_as_far_as_the_rates_say(swin):
    groups = groups_of(swin, dict(type='SGD', lr=0.1), decay_rate=0.5)
    assert {decay for _, decay in groups.values()} == {0}
    wrapper = build_optim_wrapper(
        swin,
        dict(
            constructor='LearningRateDecayOptimizerConstructor',
            optimizer=dict(type='SGD', lr=0.1),
            paramwise_cfg=dict(decay_rate=0.5),
        ),
    )
    before = {name: weight.detach().clone() for name, weight in swin.named_parameters()}
    wrapper.update_params(sum(weight.sum() for weight in swin.parameters()))
    for name, weight in swin.named_parameters():
        torch.testing.assert_close(
            before[name] - weight.detach(), torch.full_like(weight, groups[name][0])
        )


@pytest.mark.parametrize(
    ('paramwise', 'complaint'),
    [
        (dict(decay_rate=0.5, num_layers=6), 'num_layers=6, and convnext_small has 12: set that'),
        (dict(decay_rate=0.5, num_layers=13), 'num_layers=13, and convnext_small has 12'),
        (dict(decay_rate=1.5), r'decay_rate is 1.5, not in \(0, 1\]'),
        (dict(num_layers=12), r'decay_rate is None, not in \(0, 1\]'),
        (dict(decay_rate=0.5, decay_type='block'), "decay_type='block' is none of layer_wise, "),
        (dict(decay_rate=0.5, custom_keys={}), "has no setting 'custom_keys' with it"),
    ],
)
def test_what_it_does_not_take(convnext, paramwise, complaint):
    with pytest.raises(UserError, match=complaint):
        groups_of(convnext, **paramwise)


def test_an_optimizer_without_a_rate_is_refused(convnext):
    with pytest.raises(UserError, match='optimizer needs lr'):
        groups_of(convnext, dict(type='AdamW'), decay_rate=0.5)


def test_other_backbones_are_refused_with_what_to_take():
    with pytest.raises(UserError, match=r'not of ResNet: take .*TIMMBackbone.* or one rate for'):
        groups_of(Detector(ResNet(18, base_channels=8)), decay_rate=0.5)
