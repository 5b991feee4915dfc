"""`conv_norm` against the two layers one after the other."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet.models.layers import Conv3x3, DeformConv2d, conv_norm, norm_folding
from mmdet.models.memory_format import guard_strided_convolutions


@pytest.fixture
def folds(monkeypatch) -> list[tuple[Tensor, Tensor]]:
    """The weights and biases that were computed by folding."""
    computed = []
    fold = norm_folding.folded

    def noted(weight, norm):
        computed.append(fold(weight, norm))
        return computed[-1]

    monkeypatch.setattr(norm_folding, 'folded', noted)
    return computed


def settled(norm: nn.Module) -> nn.Module:
    """Return a batch norm as a training leaves it, in evaluation."""
    nn.init.normal_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    if norm.affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return norm.eval()


def pair() -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    return nn.Conv2d(8, 16, 3, padding=1, bias=False), settled(nn.BatchNorm2d(16))


def large() -> Tensor:
    """Return a feature whose convolution to 16 channels is worth while to fold."""
    return torch.randn(2, 8, 56, 56)


def learnt(compute, feature: Tensor, *layers: nn.Module) -> dict[str, Tensor]:
    """Return the output, and the gradients that there are, of an arbitrary loss."""
    feature = feature.clone().requires_grad_()
    out = compute(feature, *layers)
    out.backward(torch.linspace(-1, 2, out.numel()).sin().view_as(out).to(out.dtype))
    gradients = {
        f'{index}.{name}': parameter.grad
        for index, layer in enumerate(layers)
        for name, parameter in layer.named_parameters()
        if parameter.grad is not None
    }
    return dict(out=out, feature=feature.grad, **gradients)


def one_after_the_other(feature: Tensor, conv: nn.Module, norm: nn.Module) -> Tensor:
    return norm(conv(feature))


def assert_same(feature: Tensor, conv: nn.Module, norm: nn.Module, **tolerances: float) -> None:
    expected = learnt(one_after_the_other, feature, *copy.deepcopy([conv, norm]))
    torch.testing.assert_close(learnt(conv_norm, feature, conv, norm), expected, **tolerances)


@pytest.mark.parametrize(
    'conv',
    [
        nn.Conv2d(8, 16, 1, bias=False),
        nn.Conv2d(8, 16, 1, stride=2, bias=False),
        nn.Conv2d(8, 16, 3, stride=(1, 2), padding=2, dilation=2, groups=4, bias=False),
        nn.Conv2d(8, 16, 3, padding=1, padding_mode='reflect', bias=False),
        Conv3x3(8, 16, 3, padding=1, bias=False),
        Conv3x3(8, 16, 3, padding=1, stride=2, bias=False),
    ],
    ids=str,
)
@pytest.mark.parametrize('kind', [nn.BatchNorm2d, nn.SyncBatchNorm])
def test_value_and_gradients_are_those_of_the_two_layers(folds, conv, kind):
    feature = torch.randn(2, 8, 96, 96, dtype=torch.float64)
    conv, norm = copy.deepcopy(conv).double(), settled(kind(16)).double()
    assert_same(feature, conv, norm, rtol=1e-10, atol=1e-10)
    assert len(folds) == 1


def test_with_the_kernel_for_3x3_convolutions_it_is_the_same_but_for_rounding(folds):
    conv = Conv3x3(32, 32, 3, padding=1, bias=False)
    feature = torch.randn(2, 32, 48, 64)
    assert_same(feature, conv, settled(nn.BatchNorm2d(32)), rtol=1e-3, atol=1e-3)
    assert len(folds) == 1


def test_a_gamma_of_zero_learns(folds):
    conv, norm = pair()
    nn.init.zeros_(norm.weight)
    norm, conv = norm.double(), conv.double()
    assert_same(large().double(), conv, norm, rtol=1e-10, atol=1e-10)
    assert norm.weight.grad.all() and not conv.weight.grad.any()
    assert len(folds) == 1


@pytest.mark.parametrize('frozen', ['norm', 'both'])
def test_what_is_frozen_gets_no_gradient(folds, frozen):
    conv, norm = (layer.double() for layer in pair())
    norm.requires_grad_(False)
    conv.requires_grad_(frozen != 'both')
    assert_same(large().double(), conv, norm, rtol=1e-10, atol=1e-10)
    assert norm.weight.grad is None
    assert (conv.weight.grad is None) == (frozen == 'both')
    assert len(folds) == 1


def test_under_autocast_weights_are_multiplied_in_full_precision(folds):
    (conv, norm), feature = pair(), large()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = conv_norm(feature, conv, norm)
    ((weight, bias),) = folds
    assert weight.dtype == bias.dtype == torch.float32
    rounded = (tensor.bfloat16() for tensor in (feature, weight, bias))
    assert torch.equal(found, F.conv2d(*rounded, padding=1))
    torch.testing.assert_close(found.float(), norm(conv(feature)), rtol=0.02, atol=0.02)


class Doubled(nn.BatchNorm2d):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


@pytest.mark.parametrize(
    ('conv', 'norm'),
    [
        (pair()[0], nn.BatchNorm2d(16)),
        (pair()[0], nn.BatchNorm2d(16, track_running_stats=False).eval()),
        (pair()[0], settled(nn.BatchNorm2d(16, affine=False))),
        (pair()[0], nn.GroupNorm(4, 16).eval()),
        (pair()[0], settled(Doubled(16))),
        (nn.Conv2d(8, 16, 3, padding=1), pair()[1]),
        (DeformConv2d(8, 16, 3, padding=1, bias=False), pair()[1]),
        (nn.Sequential(pair()[0]), pair()[1]),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_other_layers_are_computed_one_after_the_other(folds, conv, norm):
    assert_same(large(), conv, norm, rtol=0, atol=0)
    assert not folds


def test_a_batch_norm_in_training_gathers_statistics():
    conv, norm = pair()
    conv_norm(large(), conv, norm.train())
    assert norm.num_batches_tracked == 1


def test_a_small_feature_is_not_worth_it(folds):
    conv, norm = nn.Conv2d(256, 256, 3, padding=1, bias=False), settled(nn.BatchNorm2d(256))
    for side in (48, 52):
        with torch.no_grad():
            conv_norm(torch.zeros(1, 256, side, side), conv, norm)
    # 9 * 256 numbers for each channel, and 256 for each as its part of the constant.
    assert 48**2 < 10 * 256 < 52**2
    assert len(folds) == 1


def test_half_precision_is_computed_as_the_norm_does(folds):
    conv, norm = (layer.half() for layer in pair())
    feature = large().half()
    assert torch.equal(conv_norm(feature, conv, norm), norm(conv(feature)))
    assert not folds


def test_off_the_cpu_it_is_for_what_the_backward_pass_keeps(folds):
    conv, norm = (layer.to('meta') for layer in pair())
    feature = large().to('meta')
    with torch.no_grad():
        conv_norm(feature, conv, norm)
    assert not folds
    conv_norm(feature, conv, norm)
    assert len(folds) == 1
    conv.requires_grad_(False)
    conv_norm(feature, conv, norm)
    assert len(folds) == 1
    conv_norm(feature.requires_grad_(), conv, norm)
    assert len(folds) == 2


@pytest.mark.parametrize('watched', [0, 1])
@pytest.mark.parametrize(
    'watch',
    [
        nn.Module.register_forward_hook,
        nn.Module.register_forward_pre_hook,
        nn.Module.register_full_backward_hook,
        nn.Module.register_full_backward_pre_hook,
    ],
)
def test_who_watches_a_layer_sees_it_run(watch, watched):
    layers, seen = pair(), []
    watch(layers[watched], lambda *_: seen.append(1))
    conv_norm(large().requires_grad_(), *layers).sum().backward()
    assert seen == [1]


def test_a_convolution_that_is_guarded_stays_so(monkeypatch):
    conv, norm = nn.Conv2d(8, 16, 1, stride=2, bias=False), settled(nn.BatchNorm2d(16))
    guard_strided_convolutions(conv)
    read, convolve = [], nn.Conv2d._conv_forward

    def noted(self, input, weight, bias):
        read.append(input.shape[-2:])
        return convolve(self, input, weight, bias)

    monkeypatch.setattr(nn.Conv2d, '_conv_forward', noted)
    conv_norm(torch.zeros(4, 8, 96, 96), conv, norm)
    assert read == [(95, 95)]


def test_a_graph_has_the_layers_as_they_are(folds):
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = pair()

        def forward(self, feature: Tensor) -> Tensor:
            return conv_norm(feature, self.conv, self.norm)

    model, feature = Layers().eval(), large()
    sizes = dict(feature={2: torch.export.Dim('height', min=8, max=1024)})
    exported = torch.export.export(model, (feature,), dynamic_shapes=sizes)
    torch.testing.assert_close(exported.module()(feature), model.norm(model.conv(feature)))
    torch.jit.trace(model, feature, check_trace=False)
    torch.compile(model, backend='eager')(feature)
    assert not folds
