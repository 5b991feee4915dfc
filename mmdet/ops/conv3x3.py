"""3 x 3 convolution by a quarter of the multiplications, where that is quicker.

Winograd's algorithm F(4 x 4, 3 x 3) (Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks, 2015, https://arxiv.org/abs/1509.09308), which cuDNN has on a GPU and PyTorch has not on a
CPU: csrc/cpu/conv3x3.cpp. `MMDET_NO_WINOGRAD=1` turns it off.

Its rounding is that of another algorithm: of 256 channels of normal numbers, the largest error over
the largest value is 1.4e-6 where PyTorch's own is 3e-7; of the weight's gradient both have 1.4e-6.
A number that is not finite makes its whole tile of 4 x 4 so, not its neighbours alone.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ._autograd import AutogradContext
from ._extension import IS_LOADED
from ._first_use import checks_kernel, may_use_kernel


def conv3x3(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the convolution of images with a margin of one zero, in steps of one pixel.

    Args:
        input: (B, C, H, W).
        weight: (O, C, 3, 3).
        bias: (O,), added to each pixel.

    Returns:
        (B, O, H, W); channels last where the kernel ran.
    """
    return conv3x3_levels([input], weight, bias)[0]


def conv3x3_levels(
    inputs: Sequence[Tensor], weight: Tensor, bias: Tensor | None = None
) -> list[Tensor]:
    """Return the convolutions of images of several sizes by one weight, as `conv3x3` does them.

    The kernel transforms the weight once for all of them, and its gradient back once. Of small
    images that is most of what it does: see `is_quicker`.

    Args:
        inputs: (B, C, H, W) of each size, B too may differ.
        weight: (O, C, 3, 3).
        bias: (O,), added to each pixel.

    Returns:
        (B, O, H, W) of each size, the same to the bit as if it were the only one that the kernel
        convolved.
    """
    if (
        inputs
        and all(_is_served(input, weight, bias) for input in inputs)
        and is_quicker(inputs, weight)
        and may_use_kernel('conv3x3', inputs[0])
    ):
        return torch.ops.mmdet_solo.conv3x3(inputs, weight, bias)
    return [conv3x3_reference(input, weight, bias) for input in inputs]


def conv3x3_reference(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return what `conv3x3` does, by PyTorch's operator."""
    return F.conv2d(input, weight, bias, padding=1)


def is_quicker(inputs: Sequence[Tensor], weight: Tensor) -> bool:
    """Say whether the kernel is quicker for tensors of these sizes, by what was measured.

    With C channels in and out, it multiplies a quarter as often; beside that it transforms each
    tile of 4 x 4 pixels, in time that grows with C, and the weight, in time that grows with C^2,
    as that of a tile's products does, however few tiles there are. So it wants some channels, and
    tiles for each thread.

    Measured with as many channels out as in, CPU time of one core of an Intel Xeon (torch 2.14.1;
    `tools/analysis_tools/benchmark_ops.py --ops conv3x3 --threads 1 --cpu-time` repeats it): from
    32 tiles on, output and both gradients together took 0.33 to 0.82 of the time with AVX-512, but
    of 512 channels 1.02 of 32 tiles, the worst case, and 0.69 of 72; held to AVX2 0.4 to 0.6. There
    the output took 1.06 of the time, the input's gradient 1.11 and the weight's 0.45; of 72 tiles
    0.83, 0.88 and 0.47. So what is right for one is for the others: they are not decided apart.
    """
    out_channels, in_channels = weight.shape[:2]
    pixels = sum(len(each) * each.shape[2] * each.shape[3] for each in inputs)
    tiles = sum(len(each) * -(-each.shape[2] // 4) * -(-each.shape[3] // 4) for each in inputs)
    return (
        min(in_channels, out_channels) >= 16
        and tiles >= 32 * torch.get_num_threads()
        # Of a tile that the image fills by less, too much is computed for nothing.
        and pixels >= 10 * tiles
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

    tensors = count(2, 19, 9, 30), count(1, 19, 5, 6), count(35, 19, 3, 3), count(35)
    found, wanted = ([each.clone().requires_grad_() for each in tensors] for _ in range(2))
    outputs = torch.ops.mmdet_solo.conv3x3(found[:2], *found[2:])
    references = [conv3x3_reference(input, *wanted[2:]) for input in wanted[:2]]
    grads = [count(*output.shape) for output in outputs]
    for pair in (
        *zip(outputs, references, strict=True),
        *zip(
            torch.autograd.grad(outputs, found, grads),
            torch.autograd.grad(references, wanted, grads),
            strict=True,
        ),
    ):
        # Each is a sum of many numbers of about one.
        torch.testing.assert_close(*pair, atol=1e-4, rtol=1e-4)


# The three ops are each other's gradients: a convolution is linear in its images and in its weight.
# Each takes images of several sizes; the gradients of some of them may not be asked for.


class _Context(AutogradContext, Protocol):
    needs_input_grad: tuple[Any, ...]


def _save_two(ctx: _Context, inputs: tuple, output: object) -> None:
    first, second = inputs[:2]
    ctx.save_for_backward(*first, *(second if isinstance(second, list) else [second]))


def _backward(ctx: _Context, grads: list[Tensor]) -> tuple:
    ops = torch.ops.mmdet_solo
    *inputs, weight = ctx.saved_tensors
    of_inputs, of_weight, of_bias = ctx.needs_input_grad
    return (
        _asked_for(of_inputs, grads, lambda some: ops.conv3x3_input_gradient(some, weight)),
        ops.conv3x3_weight_gradient(grads, inputs) if of_weight else None,
        sum(grad.sum((0, 2, 3)) for grad in grads) if of_bias else None,
    )


def _input_gradient_backward(ctx: _Context, others: list[Tensor]) -> tuple:
    ops = torch.ops.mmdet_solo
    *grads, weight = ctx.saved_tensors
    of_grads, of_weight = ctx.needs_input_grad
    return (
        _asked_for(of_grads, others, lambda some: ops.conv3x3(some, weight, None)),
        ops.conv3x3_weight_gradient(grads, others) if of_weight else None,
    )


def _weight_gradient_backward(ctx: _Context, other: Tensor) -> tuple:
    ops = torch.ops.mmdet_solo
    half = len(ctx.saved_tensors) // 2
    grads, inputs = ctx.saved_tensors[:half], ctx.saved_tensors[half:]
    of_grads, of_inputs = ctx.needs_input_grad
    return (
        _asked_for(of_grads, inputs, lambda some: ops.conv3x3(some, other, None)),
        _asked_for(of_inputs, grads, lambda some: ops.conv3x3_input_gradient(some, other)),
    )


def _asked_for(
    asked: Sequence[bool],
    levels: Sequence[Tensor],
    compute: Callable[[list[Tensor]], Sequence[Tensor]],
) -> list[Tensor | None]:
    """Return what an op gives for the levels that are asked for, and None for the others."""
    chosen = [level for level, is_asked in zip(levels, asked, strict=True) if is_asked]
    found = iter(compute(chosen) if chosen else ())
    return [next(found) if is_asked else None for is_asked in asked]


if IS_LOADED:
    for _op, _gradients in (
        ('conv3x3', _backward),
        ('conv3x3_input_gradient', _input_gradient_backward),
        ('conv3x3_weight_gradient', _weight_gradient_backward),
    ):
        torch.library.register_autograd(f'mmdet_solo::{_op}', _gradients, setup_context=_save_two)

    def _images(like: Sequence[Tensor], channels: int) -> list[Tensor]:
        return [
            each.new_empty(len(each), *each.shape[2:], channels).permute(0, 3, 1, 2)
            for each in like
        ]

    @torch.library.register_fake('mmdet_solo::conv3x3')
    def _(inputs: list[Tensor], weight: Tensor, bias: Tensor | None) -> list[Tensor]:
        return _images(inputs, weight.shape[0])

    @torch.library.register_fake('mmdet_solo::conv3x3_input_gradient')
    def _(grads: list[Tensor], weight: Tensor) -> list[Tensor]:
        return _images(grads, weight.shape[1])

    @torch.library.register_fake('mmdet_solo::conv3x3_weight_gradient')
    def _(grads: list[Tensor], inputs: list[Tensor]) -> Tensor:
        return grads[0].new_empty(grads[0].shape[1], inputs[0].shape[1], 3, 3)
