"""Group norm with ReLU against PyTorch's in float64, and where it is left to PyTorch's."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.library import opcheck

from mmdet.ops import group_norm_relu
from mmdet.ops.group_norm_relu import group_norm_relu_reference

OPS = torch.ops.mmdet_solo
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
ORDERS = (torch.channels_last, torch.contiguous_format)
# (B, C, H, W), groups: channels that fill no vector, more pixels than a run has and numbers than a
# part, one channel a group, one group, one pixel
CASES = [
    ((2, 12, 5, 7), 4),
    ((2, 40, 23, 31), 8),
    ((1, 6, 40, 29), 6),
    ((3, 5, 4, 3), 1),
    ((2, 1, 9, 9), 1),
    ((3, 64, 1, 1), 2),
    ((1, 8200, 2, 3), 4100),
]


def random_case(
    shape: tuple[int, ...], groups: int, device: torch.device | str = 'cpu', *, mean: float = 0.5
) -> tuple[list[Tensor], Tensor]:
    """Input, weight and bias, and a gradient that is zero where rounding may turn ReLU's."""
    channels = shape[1]
    leaves = [torch.randn(shape) * 2 + mean, torch.randn(channels), torch.randn(channels)]
    output = F.group_norm(leaves[0].double(), groups, *(each.double() for each in leaves[1:]))
    grad = torch.randn(shape) * (output.abs() > 0.02)
    return [each.to(device) for each in leaves], grad.to(device)


def by_pytorch(images: Tensor, groups: int, weight: Tensor, bias: Tensor) -> Tensor:
    return F.relu(F.group_norm(images, groups, weight, bias))


def output_and_gradients(
    norm: Callable, groups: int, leaves: list[Tensor], grad: Tensor
) -> list[Tensor]:
    images, weight, bias = (each.detach().clone().requires_grad_() for each in leaves)
    output = norm(images, groups, weight, bias)
    return [output, *torch.autograd.grad(output, (images, weight, bias), grad)]


def assert_is_pytorchs(leaves: list[Tensor], groups: int, grad: Tensor) -> None:
    exact = [each.double() for each in leaves]
    found = output_and_gradients(group_norm_relu, groups, leaves, grad)
    wanted = output_and_gradients(by_pytorch, groups, exact, grad.double())
    for one, other in zip(found, wanted, strict=True):
        # Sums of many numbers of about one, which may cancel out.
        tolerances = dict(atol=3e-5, rtol=1e-5) if one.dtype == torch.float32 else {}
        torch.testing.assert_close(one, other.to(one.dtype), **tolerances)


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize(('shape', 'groups'), CASES)
def test_kernel_is_pytorchs(kernels, shape, groups, dtype, order):
    (images, weight, bias), grad = random_case(shape, groups, kernels)
    images = images.to(dtype).contiguous(memory_format=order)
    weights = torch.float64 if dtype == torch.float64 else torch.float32
    assert_is_pytorchs([images, weight.to(weights), bias.to(weights)], groups, grad.to(dtype))


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('outlier', [None, 1e4])
def test_little_is_lost_of_a_large_mean(kernels, order, outlier):
    """Nor of what is far from the first pixel: a sum of squares has both cancel."""
    leaves, _ = random_case((2, 8, 30, 40), 2, kernels, mean=0 if outlier else 1000)
    if outlier:
        leaves[0][:, :, 0, 0] = outlier
    images = leaves[0].contiguous(memory_format=order)
    wanted = by_pytorch(images.double(), 2, *(each.double() for each in leaves[1:]))
    found = group_norm_relu(images, 2, *leaves[1:])
    # Of 1000, float32 keeps four digits after the point.
    torch.testing.assert_close(found.double(), wanted, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize('shape', [(0, 6, 4, 5), (2, 6, 0, 5)])
def test_nothing_to_do(kernels, shape):
    images = torch.zeros(shape, device=kernels)
    leaves = [images, torch.ones(6, device=kernels), torch.ones(6, device=kernels)]
    output, of_images, of_weight, of_bias = output_and_gradients(group_norm_relu, 3, leaves, images)
    assert output.shape == of_images.shape == shape
    assert of_weight.tolist() == of_bias.tolist() == [0] * 6


def test_a_single_number(kernels):
    """Which `F.group_norm` refuses: the mean is the number itself, and nothing else is left."""
    images = torch.full((1, 3, 1, 1), 5.0, device=kernels, requires_grad=True)
    weight, bias = torch.ones(3, device=kernels), torch.tensor([0.5, 0, -1.0], device=kernels)
    for norm in (group_norm_relu, group_norm_relu_reference):
        output = norm(images, 3, weight, bias)
        assert output.flatten().tolist() == pytest.approx([0.5, 0, 0], abs=1e-4)
        assert not torch.autograd.grad(output.sum(), images)[0].any()


def test_any_order_in_memory(kernels):
    (images, weight, bias), grad = random_case((2, 6, 8, 9), 3, kernels)
    strided = [images.transpose(2, 3), torch.stack((weight, weight), 1)[:, 0], bias.flip(0).flip(0)]
    wanted = output_and_gradients(
        group_norm_relu, 3, [each.contiguous() for each in strided], grad.transpose(2, 3).clone()
    )
    found = output_and_gradients(group_norm_relu, 3, strided, grad.transpose(2, 3))
    assert all(map(torch.equal, found, wanted))
    # The gradient of a sum is one number, expanded.
    one = images.clone().requires_grad_()
    output = group_norm_relu(one, 3, weight, bias)
    of_sum, of_ones = (
        torch.autograd.grad(output, one, each, retain_graph=True)[0]
        for each in (torch.ones((), device=kernels).expand_as(output), torch.ones_like(output))
    )
    assert torch.equal(of_sum, of_ones)


def test_the_order_of_the_output(kernels):
    (images, weight, bias), _ = random_case((2, 6, 8, 9), 3, kernels)
    for order in ORDERS:
        output = group_norm_relu(images.contiguous(memory_format=order), 3, weight, bias)
        expected = torch.channels_last if kernels.type == 'cpu' else order
        assert output.is_contiguous(memory_format=expected)


def test_a_nan_is_not_hidden(kernels):
    (images, weight, bias), _ = random_case((2, 6, 8, 9), 3, kernels)
    images[1, 2, 3, 4] = float('nan')
    lost = group_norm_relu(images, 3, weight, bias).isnan()
    assert lost[1, 2:4].all() and lost.sum() == lost[1, 2:4].sum()


@pytest.mark.parametrize('shape', [(1, 24, 30, 31), (3, 512, 6, 50)])
def test_any_number_of_threads(kernels, shape):
    leaves, grad = random_case(shape, 8, kernels)
    found = []
    for threads in (1, 2, 3, 10):
        torch.set_num_threads(threads)
        found.append(output_and_gradients(group_norm_relu, 8, leaves, grad))
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


def test_computed_again_it_is_the_same(kernels):
    leaves, _ = random_case((2, 24, 30, 31), 8, kernels)
    for dtype in DTYPES[1:]:
        images = leaves[0].to(dtype)
        output, mean, rstd = OPS.group_norm_relu(images, *leaves[1:], 8, 1e-5)
        assert torch.equal(OPS.group_norm_relu_again(images, *leaves[1:], mean, rstd), output)


@pytest.mark.parametrize('norm', [group_norm_relu, group_norm_relu_reference])
def test_gradients(norm):
    leaves, _ = random_case((2, 4, 3, 2), 2)
    leaves = [leaf.double().requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(lambda x, *rest: norm(x, 2, *rest), leaves)


def test_gradients_of_gradients_are_refused(kernels):
    leaves, _ = random_case((2, 4, 3, 2), 2, kernels)
    leaf = leaves[0].requires_grad_()
    output = group_norm_relu(leaf, 2, *leaves[1:])
    (gradient,) = torch.autograd.grad(output.square().sum(), leaf, create_graph=True)
    with pytest.raises(RuntimeError, match='group_norm_relu has no gradients of gradients'):
        gradient.sum().backward()


def test_moments_have_no_gradients(kernels):
    leaves, _ = random_case((2, 4, 3, 2), 2, kernels)
    output, mean, rstd = OPS.group_norm_relu(*(each.requires_grad_() for each in leaves), 2, 1e-5)
    assert output.requires_grad and not mean.requires_grad and not rstd.requires_grad


def test_only_the_gradients_that_are_asked_for(kernels):
    (images, weight, bias), grad = random_case((2, 6, 5, 4), 3, kernels)
    output = group_norm_relu(images, 3, weight.requires_grad_(), bias)
    output.backward(grad)
    assert weight.grad is not None and images.grad is None and bias.grad is None


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('needs_grad', [False, True])
def test_registrations(kernels, needs_grad, order):
    (images, weight, bias), grad = random_case((2, 6, 5, 4), 3, kernels)
    images = images.contiguous(memory_format=order)
    leaves = [each.requires_grad_(needs_grad) for each in (images, weight, bias)]
    opcheck(OPS.group_norm_relu.default, (*leaves, 3, 1e-5))
    _, *moments = OPS.group_norm_relu(images, weight, bias, 3, 1e-5)
    with torch.no_grad():
        leaves = [each.detach() for each in leaves]
        opcheck(OPS.group_norm_relu_again.default, (*leaves, *moments))
        opcheck(OPS.group_norm_relu_backward.default, (grad, *leaves, *moments))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(kernels, dtype):
    """A convolution gives half precision: so does this, with moments as exact as ever."""
    (images, weight, bias), _ = random_case((2, 6, 8, 9), 3, kernels, mean=20)
    images = images.to(dtype)
    with torch.autocast(kernels.type, dtype=dtype):
        found = group_norm_relu(images, 3, weight, bias)
        wanted = group_norm_relu_reference(images, 3, weight, bias)
    assert found.dtype == wanted.dtype == dtype
    exact = by_pytorch(images.double(), 3, weight.double(), bias.double())
    torch.testing.assert_close(found, exact.to(dtype))


def test_a_model_in_half_precision(kernels):
    leaves, grad = random_case((2, 6, 8, 9), 3, kernels)
    assert_is_pytorchs([each.bfloat16() for each in leaves], 3, grad.bfloat16())


def test_compilers_see_plain_operators(kernels):
    class Layer(torch.nn.Module):
        def forward(self, images, weight, bias):
            return group_norm_relu(images, 3, weight, bias)

    case, _ = random_case((2, 6, 8, 9), 3, kernels)
    wanted = by_pytorch(case[0], 3, *case[1:])
    exported = torch.export.export(Layer(), tuple(case))
    targets = {str(node.target) for node in exported.graph.nodes if node.op == 'call_function'}
    assert targets == {'aten.group_norm.default', 'aten.relu.default'}
    traced = torch.jit.trace(Layer(), tuple(case), check_trace=False)
    assert 'aten::group_norm' in str(traced.graph) and 'mmdet_solo' not in str(traced.graph)
    compiled = torch.compile(Layer(), backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(compiled(*case), wanted)


@pytest.mark.parametrize(
    ('shape', 'dtype', 'groups', 'channels', 'named'),
    [
        ((6, 4, 4), torch.float32, 3, 6, r'input must be \(B, C, H, W\)'),
        ((2, 6, 4, 4), torch.int64, 3, 6, 'of torch.int64'),
        ((2, 6, 4, 4), torch.float32, 4, 6, '6 channels are not 4 groups'),
        ((2, 6, 4, 4), torch.float32, 0, 6, '6 channels are not 0 groups'),
        ((2, 6, 4, 4), torch.float32, 3, 5, r'weight must be \(6,\), not \(5,\)'),
    ],
)
def test_wrong_arguments_are_named(shape, dtype, groups, channels, named):
    with pytest.raises(ValueError, match=named):
        group_norm_relu(
            torch.zeros(shape, dtype=dtype), groups, torch.ones(channels), torch.zeros(channels)
        )


def test_the_kernels_themselves_name_wrong_arguments(kernels):
    (images, weight, bias), grad = random_case((2, 6, 5, 4), 3, kernels)
    moments = torch.zeros(2, 3, device=kernels), torch.ones(2, 3, device=kernels)
    with pytest.raises(RuntimeError, match='num_groups 4 does not divide 6 channels'):
        OPS.group_norm_relu(images, weight, bias, 4, 1e-5)
    with pytest.raises(RuntimeError, match='weight must be Float, not BFloat16'):
        OPS.group_norm_relu(images, weight.bfloat16(), bias, 3, 1e-5)
    with pytest.raises(RuntimeError, match='mean must be of size 2 in dimension 0, not 1'):
        OPS.group_norm_relu_again(images, weight, bias, moments[0][:1], moments[1])
    with pytest.raises(RuntimeError, match='grad must be of size 4 in dimension 3'):
        OPS.group_norm_relu_backward(grad[..., :3], images, weight, bias, *moments)
