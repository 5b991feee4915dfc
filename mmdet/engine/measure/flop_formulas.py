"""How many floating point operations the operators take that PyTorch has no formula for.

Each formula is handed the shapes of its operator's tensors, in their order.
"""

from collections.abc import Callable, Sequence
from math import ceil, prod

import torch
import torchvision  # noqa: F401  # its operators
from torch.utils.flop_counter import conv_flop_count

from mmdet.ops._extension import IS_LOADED

Shape = Sequence[int]
Formulas = dict[object, Callable[..., int]]


def _of_levels(formula: Callable[..., int]) -> Callable[..., int]:
    """Return the formula of an op that takes images of several sizes, and the same weight."""

    def sum_up(inputs: Sequence[Shape], *others: Shape, out_shape: Sequence[Shape], **_: object):
        return sum(
            formula(input, *others, out_shape=output)
            for input, output in zip(inputs, out_shape, strict=True)
        )

    return sum_up


def _of_levels_weight(formula: Callable[..., int]) -> Callable[..., int]:
    """Return the formula of such an op's gradient of the weight."""

    def sum_up(
        grads: Sequence[Shape], inputs: Sequence[Shape], *, out_shape: Shape, **_: object
    ) -> int:
        return sum(
            formula(grad, input, out_shape=out_shape)
            for grad, input in zip(grads, inputs, strict=True)
        )

    return sum_up


def _convolution(input: Shape, weight: Shape, *_: object, out_shape: Shape, **__: object) -> int:
    return conv_flop_count(list(input), list(weight), list(out_shape))


def _weight_gradient(grad: Shape, input: Shape, *_: object, out_shape: Shape, **__: object) -> int:
    return conv_flop_count(list(input), list(out_shape), list(grad))


def _two_gradients(grad: Shape, input: Shape, weight: Shape, *_: object, **__: object) -> int:
    return 2 * conv_flop_count(list(input), list(weight), list(grad))


def _winograd(images: Shape, weight: Shape, *_: object, **__: object) -> int:
    return _winograd_products(images) * weight[0] * weight[1]


def _winograd_weight_gradient(grad: Shape, input: Shape, *_: object, **__: object) -> int:
    return _winograd_products(grad) * grad[1] * input[1]


def _winograd_products(images: Shape) -> int:
    """Return what the products of F(4 x 4, 3 x 3) take for a pair of channels: 36 for a tile."""
    tiles = images[0] * prod(ceil(side / 4) for side in images[2:])
    return 2 * 36 * tiles


_DEFORMABLE: Formulas = {
    # Reading between pixels takes a few for each number read, and is left out.
    torch.ops.torchvision.deform_conv2d: _convolution,
    torch.ops.torchvision._deform_conv2d_backward: _two_gradients,
}

# As if all were convolved directly
DIRECT: Formulas = dict(_DEFORMABLE)
# As `mmdet.ops.conv3x3` does it
WINOGRAD: Formulas = dict(_DEFORMABLE)
if IS_LOADED:
    _OPS = torch.ops.mmdet_solo
    DIRECT |= {
        _OPS.conv3x3: _of_levels(_convolution),
        _OPS.conv3x3_input_gradient: _of_levels(_convolution),
        _OPS.conv3x3_weight_gradient: _of_levels_weight(_weight_gradient),
    }
    WINOGRAD |= {
        _OPS.conv3x3: _of_levels(_winograd),
        _OPS.conv3x3_input_gradient: _of_levels(_winograd),
        _OPS.conv3x3_weight_gradient: _of_levels_weight(_winograd_weight_gradient),
    }
