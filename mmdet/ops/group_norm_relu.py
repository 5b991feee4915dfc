"""Group norm (Wu and He, Group Normalization, 2018, https://arxiv.org/abs/1803.08494), then ReLU.

The kernels keep nothing for the backward pass but the input and each group's mean and deviation:
the sign of the output, which is all that ReLU's gradient depends on, follows from them. So does the
output itself, and `recomputes` spares those who read it from keeping it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ._autograd import AutogradContext
from ._extension import IS_LOADED
from ._first_use import checks_kernel, may_use_kernel
from .recompute import can_be_recomputed


def group_norm_relu(
    input: Tensor, num_groups: int, weight: Tensor, bias: Tensor, *, eps: float = 1e-5
) -> Tensor:
    """Return relu(weight (x - mean) / sqrt(variance + eps) + bias), with moments of groups.

    They are taken over all pixels of an image and all channels of a group, in float32 or better
    whatever the input is, also under autocast.

    Args:
        input: (B, C, H, W) of floating point.
        num_groups: of neighbouring channels, as many in each; divides C.
        weight: (C,).
        bias: (C,).
        eps: added to the variance, so that it can be zero.

    Returns:
        (B, C, H, W) of the input's type; from a CPU's kernel channels last, from a GPU's in the
        input's order. The kernels can be differentiated once.
    """
    if input.ndim != 4 or not input.is_floating_point():
        raise ValueError(
            f'input must be (B, C, H, W) of floating point, not {tuple(input.shape)} of '
            f'{input.dtype}'
        )
    channels = input.shape[1]
    if num_groups < 1 or channels % num_groups:
        raise ValueError(f'{channels} channels are not {num_groups} groups of as many each')
    for name, parameter in (('weight', weight), ('bias', bias)):
        if parameter.shape != (channels,):
            raise ValueError(f'{name} must be ({channels},), not {tuple(parameter.shape)}')
        if parameter.device != input.device:
            raise ValueError(f'{name} is on {parameter.device}, but input on {input.device}')
    # A graph of standard operators is what others can run and optimise.
    plain = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if plain or not may_use_kernel('group_norm_relu', input):
        return group_norm_relu_reference(input, num_groups, weight, bias, eps=eps)
    exact = torch.promote_types(input.dtype, torch.float32)
    weight, bias = weight.to(exact), bias.to(exact)
    output, mean, rstd = torch.ops.mmdet_solo.group_norm_relu(input, weight, bias, num_groups, eps)
    if output.requires_grad:
        can_be_recomputed(output, _again, (input, mean, rstd), (weight, bias))
    return output


def group_norm_relu_reference(
    input: Tensor, num_groups: int, weight: Tensor, bias: Tensor, *, eps: float = 1e-5
) -> Tensor:
    """Return what `group_norm_relu` does, by PyTorch's operators."""
    # Not `F.group_norm`, which refuses groups of one number.
    output = F.relu(torch.group_norm(input, num_groups, weight, bias, eps))
    # A GPU's autocast makes it float32. Without need no operator for an exported graph.
    return output if output.dtype == input.dtype else output.to(input.dtype)


def _again(input: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.ops.mmdet_solo.group_norm_relu_again(input, weight, bias, mean, rstd)


@checks_kernel('group_norm_relu')
def _check_kernel(device: torch.device) -> None:
    def count(*shape: int, step: float) -> Tensor:
        numbers = torch.arange(torch.Size(shape).numel(), dtype=torch.float32, device=device)
        return (numbers * step).sin().view(shape)

    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for order in (torch.contiguous_format, torch.channels_last):
            images = (
                (3 + 2 * count(2, 12, 5, 7, step=0.7)).to(dtype).contiguous(memory_format=order)
            )
            grad = count(2, 12, 5, 7, step=0.3).to(dtype)
            tensors = images, 1 + count(12, step=0.5), count(12, step=0.9)
            found, wanted = ([each.clone().requires_grad_() for each in tensors] for _ in range(2))
            ops = torch.ops.mmdet_solo
            output, mean, rstd = ops.group_norm_relu(*found, 4, 1e-5)
            exact = group_norm_relu_reference(wanted[0].float(), 4, *wanted[1:])
            for pair in (
                (output, exact.to(dtype)),
                (ops.group_norm_relu_again(*found, mean, rstd), output),
                *zip(
                    torch.autograd.grad(output, found, grad),
                    torch.autograd.grad(exact, wanted, grad.float()),
                    strict=True,
                ),
            ):
                torch.testing.assert_close(*pair)


def _setup_context(ctx: AutogradContext, inputs: tuple, output: tuple[Tensor, ...]) -> None:
    input, weight, bias, _, _ = inputs
    _, mean, rstd = output
    ctx.mark_non_differentiable(mean, rstd)
    ctx.save_for_backward(input, weight, bias, mean, rstd)


def _backward(ctx: AutogradContext, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    gradients = torch.ops.mmdet_solo.group_norm_relu_backward(grad, *ctx.saved_tensors)
    return *gradients, None, None


def _refuse(ctx: AutogradContext, *_: Tensor) -> None:
    raise RuntimeError(
        'group_norm_relu has no gradients of gradients; MMDET_NO_EXTENSION=1 runs its reference, '
        'which has'
    )


if IS_LOADED:
    torch.library.register_autograd(
        'mmdet_solo::group_norm_relu', _backward, setup_context=_setup_context
    )
    for _op in ('group_norm_relu_again', 'group_norm_relu_backward'):
        torch.library.register_autograd(f'mmdet_solo::{_op}', _refuse)

    def _images(like: Tensor) -> Tensor:
        if like.device.type == 'cpu' or like.is_contiguous(memory_format=torch.channels_last):
            return torch.empty_like(like, memory_format=torch.channels_last)
        return torch.empty_like(like, memory_format=torch.contiguous_format)

    @torch.library.register_fake('mmdet_solo::group_norm_relu')
    def _(
        input: Tensor, weight: Tensor, bias: Tensor, num_groups: int, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        moments = weight.new_empty(input.shape[0], num_groups)
        return _images(input), moments, torch.empty_like(moments)

    @torch.library.register_fake('mmdet_solo::group_norm_relu_again')
    def _(input: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, rstd: Tensor) -> Tensor:
        return _images(input)

    @torch.library.register_fake('mmdet_solo::group_norm_relu_backward')
    def _(
        grad: Tensor, input: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, rstd: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        return _images(input), torch.empty_like(weight), torch.empty_like(bias)
