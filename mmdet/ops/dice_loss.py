"""Dice loss of binary masks (Milletari et al., V-Net, 2016), in the form that SOLO uses."""

from typing import Protocol

import torch
from torch import Tensor

from ._autograd import AutogradContext
from ._extension import IS_LOADED
from ._first_use import assert_same_loss, checks_kernel, may_use_kernel


def dice_loss(
    predictions: Tensor, targets: Tensor, *, activate: bool = True, eps: float = 1e-3
) -> Tensor:
    """Return 1 - Dice coefficient of each mask, with the sums of squares below the fraction.

    It is computed in float32 or better whatever the predictions are, also under autocast.

    Args:
        predictions: (N, H, W) mask logits, or probabilities where `activate` is False.
        targets: (N, H, W) binary masks of any dtype; the kernels read uint8 and bool.
        activate: take the sigmoid of the predictions first.
        eps: added to each sum of squares, so that two empty masks are no division by zero.

    Returns:
        (N,) losses in [0, 1], in float32 or better. The kernels can be differentiated once.
    """
    if predictions.ndim != 3 or not predictions.is_floating_point():
        raise ValueError(
            'predictions must be (N, H, W) of floating point, '
            f'not {tuple(predictions.shape)} of {predictions.dtype}'
        )
    if predictions.shape != targets.shape:
        raise ValueError(
            f'predictions {tuple(predictions.shape)} and targets {tuple(targets.shape)} '
            'differ in shape'
        )
    if targets.device != predictions.device:
        raise ValueError(
            f'targets are on {targets.device}, but predictions on {predictions.device}'
        )
    if targets.dtype in (torch.uint8, torch.bool) and may_use_kernel('dice_loss', predictions):
        targets = targets.view(torch.uint8)
        return torch.ops.mmdet_solo.dice_loss(predictions, targets, activate, eps)[0]
    return dice_loss_reference(predictions, targets, activate=activate, eps=eps)


def dice_loss_reference(
    predictions: Tensor, targets: Tensor, *, activate: bool = True, eps: float = 1e-3
) -> Tensor:
    """Return what `dice_loss` does, by PyTorch's operators."""
    # Sums over a whole mask overflow float16 and lose bfloat16's last digits.
    predictions = predictions.to(torch.promote_types(predictions.dtype, torch.float32))
    p = (predictions.sigmoid() if activate else predictions).flatten(1)
    t = targets.to(p.dtype).flatten(1)
    a = (p * t).sum(1)
    b = (p * p).sum(1) + eps
    c = (t * t).sum(1) + eps
    return 1 - 2 * a / (b + c)


@checks_kernel('dice_loss')
def _check_kernel(device: torch.device) -> None:
    pixels = torch.arange(3 * 21 * 37, device=device).view(3, 21, 37)
    logits, targets = 4 * (pixels * 0.7).sin(), (pixels % 5 < 2).to(torch.uint8)
    for activate, predictions in ((True, logits), (False, logits.sigmoid())):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            assert_same_loss(
                lambda x, activate=activate: torch.ops.mmdet_solo.dice_loss(
                    x, targets, activate, 1e-3
                )[0],
                lambda x, activate=activate: dice_loss_reference(x, targets, activate=activate),
                predictions.to(dtype),
            )


class _Context(AutogradContext, Protocol):
    activate: bool


def _setup_context(ctx: _Context, inputs: tuple, output: tuple[Tensor, Tensor]) -> None:
    predictions, targets, ctx.activate, _ = inputs
    _, sums = output
    ctx.mark_non_differentiable(sums)
    ctx.save_for_backward(predictions, targets, sums)


def _backward(ctx: _Context, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
    grad_predictions = torch.ops.mmdet_solo.dice_loss_backward(
        grad, *ctx.saved_tensors, ctx.activate
    )
    return grad_predictions, None, None, None


if IS_LOADED:
    torch.library.register_autograd(
        'mmdet_solo::dice_loss', _backward, setup_context=_setup_context
    )

    @torch.library.register_fake('mmdet_solo::dice_loss')
    def _(
        predictions: Tensor, targets: Tensor, activate: bool, eps: float
    ) -> tuple[Tensor, Tensor]:
        """The losses, and for the backward pass each mask's three sums."""
        dtype = torch.promote_types(predictions.dtype, torch.float32)
        masks = predictions.shape[0]
        return (
            predictions.new_empty(masks, dtype=dtype),
            predictions.new_empty(masks, 3, dtype=dtype),
        )

    @torch.library.register_fake('mmdet_solo::dice_loss_backward')
    def _(
        grad: Tensor, predictions: Tensor, targets: Tensor, sums: Tensor, activate: bool
    ) -> Tensor:
        return predictions.new_empty(predictions.shape)
