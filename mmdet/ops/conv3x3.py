"""3 x 3 convolution by a quarter of the multiplications, where that is quicker.

Winograd's algorithm F(4 x 4, 3 x 3) (Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks, 2015, https://arxiv.org/abs/1509.09308), which cuDNN has on a GPU and PyTorch has not on a
CPU: csrc/cpu/conv3x3.cpp. `MMDET_NO_WINOGRAD=1` turns it off.

Its rounding is that of another algorithm: of 256 channels of normal numbers, the largest error over
the largest value is 1.4e-6 where PyTorch's own is 3e-7; of the weight's gradient both have 1.4e-6.
A number that is not finite makes its whole tile of 4 x 4 so, not its neighbours alone.
"""

import os
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ._autograd import AutogradContext
from ._extension import IS_LOADED
from ._first_use import checks_kernel, may_use_kernel

_Gradients = tuple[Tensor | None, ...]


def conv3x3(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the convolution of images with a margin of one zero, in steps of one pixel.

    Args:
        input: (B, C, H, W).
        weight: (O, C, 3, 3).
        bias: (O,), added to each pixel.

    Returns:
        (B, O, H, W); channels last where the kernel ran.
    """
    if (
        _is_served(input, weight, bias)
        and is_quicker(input, weight)
        and may_use_kernel('conv3x3', input)
    ):
        return torch.ops.mmdet_solo.conv3x3(input, weight, bias)
    return conv3x3_reference(input, weight, bias)


def conv3x3_reference(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return what `conv3x3` does, by PyTorch's operator."""
    return F.conv2d(input, weight, bias, padding=1)


def is_quicker(input: Tensor, weight: Tensor) -> bool:
    """Say whether the kernel is quicker for tensors of these sizes, by what was measured.

    With C channels in and out, it multiplies a quarter as often; beside that it transforms each
    tile of 4 x 4 pixels, in time that grows with C, and the weight, in time that grows with C^2
    however few tiles there are. So it wants some channels, and tiles for each thread.

    Measured with as many channels out as in, forward and backward, on two quiet cores of an Intel
    Xeon (torch 2.14.1; `tools/analysis_tools/benchmark_ops.py --ops conv3x3`): with AVX-512 it took
    0.4 to 0.9 of the time between the limits and 8,400 tiles, and 1.3 times as long with half as
    many tiles as the limit; held to AVX2, 0.2 to 0.8.
    """
    batch, in_channels, height, width = input.shape
    out_channels = weight.shape[0]
    tiles = batch * -(-height // 4) * -(-width // 4)
    return (
        min(in_channels, out_channels) >= 16
        and tiles >= torch.get_num_threads() * max(32, max(in_channels, out_channels) // 8)
        # Of a tile that the image fills by less, too much is computed for nothing.
        and batch * height * width >= 10 * tiles
    )


def _is_served(input: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Say whether the kernel is for such tensors, and anything may be called but PyTorch's own."""
    tensors = (input, weight) if bias is None else (input, weight, bias)
    return (
        os.environ.get('MMDET_NO_WINOGRAD', '0') in ('', '0')
        # A graph of standard operators is what others can run and optimise.
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch.is_autocast_enabled('cpu')
        and all(t.device.type == 'cpu' and t.dtype == torch.float32 for t in tensors)
        and input.ndim == 4
        and weight.shape[1:] == (input.shape[1], 3, 3)
    )


@checks_kernel('conv3x3')
def _check_kernel(device: torch.device) -> None:
    def count(*shape: int) -> Tensor:
        numbers = torch.arange(torch.Size(shape).numel(), dtype=torch.float32, device=device)
        return (numbers * 0.7).sin().view(shape)

    tensors = count(2, 19, 9, 30), count(35, 19, 3, 3), count(35)
    found, wanted = ([each.clone().requires_grad_() for each in tensors] for _ in range(2))
    outputs = torch.ops.mmdet_solo.conv3x3(*found), conv3x3_reference(*wanted)
    grad = count(*outputs[0].shape)
    for pair in (
        outputs,
        *zip(
            torch.autograd.grad(outputs[0], found, grad),
            torch.autograd.grad(outputs[1], wanted, grad),
            strict=True,
        ),
    ):
        # Each is a sum of many numbers of about one.
        torch.testing.assert_close(*pair, atol=1e-4, rtol=1e-4)


# The three ops are each other's gradients: a convolution is linear in its images and in its weight.


class _Context(AutogradContext, Protocol):
    needs_input_grad: tuple[bool, ...]


def _save_two(ctx: _Context, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])


def _backward(ctx: _Context, grad: Tensor) -> _Gradients:
    ops = torch.ops.mmdet_solo
    input, weight = ctx.saved_tensors
    of_input, of_weight, of_bias = ctx.needs_input_grad
    return (
        ops.conv3x3_input_gradient(grad, weight) if of_input else None,
        ops.conv3x3_weight_gradient(grad, input) if of_weight else None,
        grad.sum((0, 2, 3)) if of_bias else None,
    )


def _input_gradient_backward(ctx: _Context, other: Tensor) -> _Gradients:
    ops = torch.ops.mmdet_solo
    grad, weight = ctx.saved_tensors
    of_grad, of_weight = ctx.needs_input_grad
    return (
        ops.conv3x3(other, weight, None) if of_grad else None,
        ops.conv3x3_weight_gradient(grad, other) if of_weight else None,
    )


def _weight_gradient_backward(ctx: _Context, other: Tensor) -> _Gradients:
    ops = torch.ops.mmdet_solo
    grad, input = ctx.saved_tensors
    of_grad, of_input = ctx.needs_input_grad
    return (
        ops.conv3x3(input, other, None) if of_grad else None,
        ops.conv3x3_input_gradient(grad, other) if of_input else None,
    )


if IS_LOADED:
    for _op, _gradients in (
        ('conv3x3', _backward),
        ('conv3x3_input_gradient', _input_gradient_backward),
        ('conv3x3_weight_gradient', _weight_gradient_backward),
    ):
        torch.library.register_autograd(f'mmdet_solo::{_op}', _gradients, setup_context=_save_two)

    def _images(like: Tensor, channels: int) -> Tensor:
        batch, _, height, width = like.shape
        return like.new_empty(batch, height, width, channels).permute(0, 3, 1, 2)

    @torch.library.register_fake('mmdet_solo::conv3x3')
    def _(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _images(input, weight.shape[0])

    @torch.library.register_fake('mmdet_solo::conv3x3_input_gradient')
    def _(grad: Tensor, weight: Tensor) -> Tensor:
        return _images(grad, weight.shape[1])

    @torch.library.register_fake('mmdet_solo::conv3x3_weight_gradient')
    def _(grad: Tensor, input: Tensor) -> Tensor:
        return grad.new_empty(grad.shape[1], input.shape[1], 3, 3)
