"""PaddleDetection's recipe, as its configs state it: what learns how fast, and what is averaged."""

import re

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmdet.engine.config import read_config
from mmdet.registry import HOOKS, MODELS
from tests.conftest import REPO
from tests.samples import sample_of

R50 = 'solov2_r50_fpn_paddle-1x_coco'
R101 = 'solov2_r101-vd-dcn_fpn_ms-3x_coco'
LIGHT = 'solov2-light_r50-vd-dcn_fpn_ms-3x_coco'


def config(name: str) -> Config:
    return read_config(str(REPO / f'configs/solov2/{name}.py'))


def expected_rate(name: str, case: str) -> float:
    """Return a parameter's learning rate for each 1 of most parameters' in Paddle's recipe."""
    if 'conv_offset' in name and 'backbone' in name:
        return 1
    if case == LIGHT and name.startswith('backbone.layer'):
        return {'2': 0.05, '3': 0.1, '4': 0.15}[name[len('backbone.layer')]]
    return 2 if re.match(r'mask_head\..*\.conv\.(conv_offset\.)?bias', name) else 1


@pytest.mark.parametrize('case', [R50, R101, LIGHT])
def test_each_parameter_learns_at_its_rate_and_decays_or_not(case):
    cfg = config(case)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    norms = {
        f'{name}.{kind}'
        for name, module in model.named_modules()
        if isinstance(module, nn.GroupNorm | nn.modules.batchnorm._BatchNorm)
        for kind in ('weight', 'bias')
    }
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    groups = {names[id(group['params'][0])]: group for group in optimizer.param_groups}
    learning = {name for name, each in model.named_parameters() if each.requires_grad}
    assert groups.keys() == learning
    assert all(each.startswith('mask_head') for each in norms & learning) == (case != LIGHT)
    rates = {name: group['lr'] / 0.01 for name, group in groups.items()}
    assert rates == pytest.approx({name: expected_rate(name, case) for name in groups})
    for name, group in groups.items():
        decays = name not in norms and rates[name] != 2
        assert group['weight_decay'] == pytest.approx(1e-4 * decays), name
    assert (2 in rates.values()) == (case != R50)


@pytest.mark.parametrize('case', [R50, R101, LIGHT])
def test_a_step(case):
    """Of a narrower model: as many layers, an eighth of the channels, and fewer cells."""
    cfg = config(case)
    cfg.model.backbone.update(base_channels=8)
    cfg.model.neck.update(in_channels=[32, 64, 128, 256], out_channels=32)
    cfg.model.mask_head.update(in_channels=32, feat_channels=32, num_grids=[8, 7, 6, 5, 4])
    cfg.model.mask_head.mask_feature_head.update(feat_channels=32, out_channels=32)
    model = MODELS.build(cfg.model).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    batch = dict(
        inputs=[torch.randint(256, (3, 64, 96), dtype=torch.uint8)],
        data_samples=[sample_of([(8, 8, 60, 50), (20, 30, 90, 60)], [3, 70], shape=(64, 96))],
    )
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    total = losses['loss_mask'] + losses['loss_cls']
    assert total.isfinite()
    total.backward()
    optim_wrapper.step()
    for name, each in model.named_parameters():
        assert (each.grad is not None) == each.requires_grad, name
        # Biases may have a gradient of 0.
        moves = not torch.equal(each, before[name])
        assert moves == each.requires_grad or name.endswith('bias'), name


def test_both_schedules_are_of_one_model():
    assert config(R50).model == config('solov2_r50_fpn_paddle-ms-3x_coco').model


@pytest.mark.parametrize('case', [R101, LIGHT])
def test_the_average_is_paddles_running_statistics_included(case):
    """But for the beginning, which is zero there, and of which the first steps leave nothing."""
    cfg = next(hook for hook in config(case).custom_hooks if hook.type == 'EMAHook')
    hook = HOOKS.build(cfg)
    norm = nn.BatchNorm2d(1)
    average = MODELS.build({**hook.ema_cfg, 'model': norm})
    expected = {}
    for step in range(-1, 5):
        for value in (norm.weight.data, norm.running_mean):
            value.normal_()
        average.update_parameters(norm)
        decay = min(0.9998, (1 + step) / (10 + step))
        for name, value in norm.state_dict().items():
            if value.is_floating_point():
                old = expected.get(name, value.clone())
                expected[name] = decay * old + (1 - decay) * value if step >= 0 else value.clone()
    for name, value in expected.items():
        torch.testing.assert_close(average.module.state_dict()[name], value)
    average.steps.fill_(50_000)
    before = average.module.weight.clone()
    average.update_parameters(norm)
    torch.testing.assert_close(average.module.weight, 0.9998 * before + 0.0002 * norm.weight)
