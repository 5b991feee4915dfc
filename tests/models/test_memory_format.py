import json
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from mmdet.models.layers import DeformConv2d
from mmdet.models.memory_format import guard_strided_convolutions, overflowing_convolutions
from mmdet.registry import MODELS
from tests.conftest import REPO
from tests.samples import HEADS, batch_of, sample_of

# A heap that was written past is noticed when memory is next taken or given back.
THIRTY_STEPS = """
import json, sys
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from tests.samples import batch_of, sample_of
register_all_modules()
torch.manual_seed(0)
model = MODELS.build(json.loads(sys.argv[1])).train()
for height, width in ((256, 320), (2048, 32)):
    batch = batch_of([sample_of([(2, 2, 30, 60)], shape=(height, width)) for _ in range(4)])
    for _ in range(15):
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=sys.argv[2] == 'bfloat16'):
            losses = model(**model.data_preprocessor(batch, True), mode='loss')
        model.parse_losses(losses)[0].backward()
assert all(weight.grad.isfinite().all() for weight in model.parameters())
"""


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_a_narrow_model_trains_on_any_cpu(tiny_model, environment, dtype):
    """Where oneDNN's kernel would be reached, this ends in a crash: see the module."""
    model = json.dumps(tiny_model)
    done = subprocess.run(
        [sys.executable, '-c', THIRTY_STEPS, model, dtype],
        cwd=REPO,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_strip_is_looked_at_in_full_precision(tiny_model):
    """On a processor with AMX the test above fails without."""
    model = MODELS.build(tiny_model)
    strip, wide = torch.randn(1, 3, 256, 32), torch.randn(1, 3, 64, 64)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = model.extract_feat(strip)
        assert {level.dtype for level in model.extract_feat(wide)} == {torch.bfloat16}
    torch.testing.assert_close(found, model.extract_feat(strip))


def resnet(**arguments: int) -> dict:
    return dict(type='ResNet', **arguments)


def timm_model(model_name: str, **arguments: object) -> dict:
    return dict(type='TIMMBackbone', model_name=model_name, **arguments)


@pytest.mark.parametrize(
    ('backbone', 'unsafe'),
    [
        (resnet(depth=18, base_channels=8), ['layer2.0.downsample.0']),
        (resnet(depth=18, base_channels=15), ['layer2.0.downsample.0']),
        # that of the shapes configs, at the largest block: never cut, so never slower
        (resnet(depth=18, base_channels=16), []),
        (resnet(depth=18), []),
        (resnet(depth=50, base_channels=2), ['layer2.0.downsample.0']),
        (resnet(depth=50, base_channels=4), []),
        (timm_model('repvgg_a0'), ['timm_model.stem.conv_1x1.conv']),
        (timm_model('resnet10t'), []),
        (timm_model('mobilenetv3_small_050'), []),
        (timm_model('convnext_atto', dims=(8, 16, 24, 32), depths=(1, 1, 1, 1)), []),
    ],
    ids=lambda value: '-'.join(map(str, value.values())) if isinstance(value, dict) else '',
)
def test_which_convolutions_of_a_model_would_overflow(backbone, unsafe):
    assert [name for name, _ in overflowing_convolutions(MODELS.build(backbone))] == unsafe


@pytest.mark.parametrize(
    ('conv', 'is_unsafe'),
    [
        (nn.Conv2d(1, 4, 1, stride=2), True),
        (nn.Conv2d(15, 4, 1, stride=(1, 2), padding='valid'), True),
        (nn.Conv2d(16, 4, 1, stride=2), False),
        (nn.Conv2d(8, 4, 1), False),
        (nn.Conv2d(8, 4, 1, stride=2, padding=1), False),
        (nn.Conv2d(8, 4, 2, stride=2), False),
        (nn.Conv2d(8, 4, (1, 3), stride=2), False),
        (nn.Conv2d(8, 8, 1, stride=2, groups=2), False),
    ],
    ids=str,
)
def test_which_convolutions_would_overflow(conv, is_unsafe):
    assert bool(list(overflowing_convolutions(conv))) == is_unsafe


def test_of_a_deformable_convolution_only_the_plain_one_inside_is_cut():
    conv = DeformConv2d(8, 8, 1, stride=2)
    assert [name for name, _ in overflowing_convolutions(conv)] == ['conv_offset']


@pytest.mark.parametrize('stride', [2, (1, 3), 4])
@pytest.mark.parametrize('size', [(24, 36), (25, 37), (1, 2)])
def test_a_guarded_convolution_reads_no_more_than_it_needs_and_gives_the_same(stride, size):
    conv = nn.Conv2d(3, 4, 1, stride=stride).double()
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
    weights = (images, conv.weight, conv.bias)
    expected = conv(images)
    grad = torch.randn_like(expected)
    expected_grads = torch.autograd.grad(expected, weights, grad)

    guard_strided_convolutions(conv)
    read = []
    conv.register_forward_hook(lambda _, args, __: read.append(args[0].shape[-2:]))
    for found in (conv(images), conv(input=images)):
        torch.testing.assert_close(found, expected)
        assert found.stride() == expected.stride()
        torch.testing.assert_close(torch.autograd.grad(found, weights, grad), expected_grads)
    for shape in read:
        # The kernel is for sides that are a multiple of the stride alone.
        assert any(
            side != out * step
            for side, out, step in zip(shape, expected.shape[-2:], conv.stride, strict=True)
        )


def test_nothing_is_cut_where_no_gradient_is_wanted():
    conv = nn.Conv2d(3, 4, 1, stride=2)
    guard_strided_convolutions(conv)
    conv.register_forward_hook(lambda _, args, __: read.append(args[0].shape[-2:]))
    read = []
    with torch.no_grad():
        conv(torch.zeros(1, 3, 8, 8))
    assert read == [(8, 8)]


def test_a_detector_guards_its_parts_and_those_that_replace_them(tiny_model):
    model = MODELS.build(tiny_model)
    first = model.backbone.layer2[0].downsample[0]
    model.backbone.layer2[0].downsample[0] = second = nn.Conv2d(8, 16, 1, stride=2, bias=False)
    model.train()
    model.train()
    read = []
    for conv in (first, second):
        conv.register_forward_hook(lambda _, args, __: read.append(args[0].shape[-2:]))
        conv(torch.zeros(1, 8, 8, 8))
    assert read == [(7, 7), (7, 7)]
    assert len(second._forward_pre_hooks) == 1


@pytest.mark.parametrize('head', ['solo', 'decoupled', 'solov2'])
def test_an_order_is_chosen_for_any_device_and_the_model_learns_the_same(
    tiny_model, other_device, head, monkeypatch
):
    tiny_model['mask_head'].update(HEADS[head])
    model = MODELS.build(tiny_model).train().to(other_device)
    batch = batch_of([sample_of([(8, 8, 60, 60)]), sample_of([(20, 9, 99, 90)])])

    def learnt(chosen: str) -> tuple[dict[str, Tensor], list[Tensor]]:
        monkeypatch.setenv('MMDET_CHANNELS_LAST', chosen)
        data = model.data_preprocessor(batch, True)
        order = torch.channels_last if chosen == '1' else torch.contiguous_format
        assert data['inputs'].is_contiguous(memory_format=order)
        levels.clear()
        losses = model(**data, mode='loss')
        assert all(level.is_contiguous(memory_format=order) for level in levels)
        sum(losses.values()).backward()
        gradients = [each.grad.cpu() for each in model.parameters() if each.requires_grad]
        model.zero_grad()
        return {name: loss.detach().cpu() for name, loss in losses.items()}, gradients

    levels = []
    model.backbone.register_forward_hook(lambda *args: levels.extend(args[2]))
    torch.testing.assert_close(learnt('1'), learnt('0'), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_gradients_have_the_strides_of_their_weights(tiny_model, dtype):
    model = MODELS.build(tiny_model).train()
    batch = batch_of([sample_of([(8, 8, 60, 60)])])
    with torch.autocast('cpu', dtype=dtype, enabled=dtype != torch.float32):
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
    sum(losses.values()).backward()
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name: weight.grad.stride() for name, weight in weights.items()} == {
        name: weight.stride() for name, weight in weights.items()
    }
