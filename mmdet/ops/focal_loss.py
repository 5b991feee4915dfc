"""Sigmoid focal loss (Lin et al., Focal Loss for Dense Object Detection, 2017)."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ._autograd import AutogradContext
from ._extension import IS_LOADED
from ._first_use import assert_same_loss, checks_kernel, may_use_kernel


def sigmoid_focal_loss(
    logits: Tensor, labels: Tensor, *, gamma: float = 2.0, alpha: float = 0.25
) -> Tensor:
    """Return the focal loss of each logit: -alpha_t (1 - p_t)^gamma log(p_t).

    It is computed in float32 or better whatever the logits are, also under autocast.

    Args:
        logits: (N, C), one column for each class.
        labels: (N,) class indices in [0, C]; C is the background, positive for no class.
        gamma: how strongly easy examples are suppressed, not negative.
        alpha: weight of positives; negatives weigh 1 - alpha.

    Returns:
        (N, C) losses, in float32 or better. The kernels can be differentiated once.
    """
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ValueError(
            f'logits must be (N, C) of floating point, not {tuple(logits.shape)} of {logits.dtype}'
        )
    if labels.shape != logits.shape[:1]:
        raise ValueError(f'labels {tuple(labels.shape)} do not name rows of {tuple(logits.shape)}')
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f'labels must be integers, not {labels.dtype}')
    if labels.device != logits.device:
        raise ValueError(f'labels are on {labels.device}, but logits on {logits.device}')
    if gamma < 0:
        raise ValueError(f'gamma must not be negative, as {gamma} is')
    if may_use_kernel('sigmoid_focal_loss', logits):
        return torch.ops.mmdet_solo.sigmoid_focal_loss(logits, labels.long(), gamma, alpha)
    return sigmoid_focal_loss_reference(logits, labels, gamma=gamma, alpha=alpha)


def sigmoid_focal_loss_reference(
    logits: Tensor, labels: Tensor, *, gamma: float = 2.0, alpha: float = 0.25
) -> Tensor:
    """Return what `sigmoid_focal_loss` does, by PyTorch's operators."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    positive = labels[:, None] == torch.arange(logits.shape[1], device=labels.device)
    signed = torch.where(positive, logits, -logits)  # p_t = sigmoid(signed)
    weight = torch.where(positive, alpha, 1 - alpha)
    return -weight * (-signed).sigmoid().pow(gamma) * F.logsigmoid(signed)


@checks_kernel('sigmoid_focal_loss')
def _check_kernel(device: torch.device) -> None:
    logits = 4 * (torch.arange(29 * 7, device=device).view(29, 7) * 0.7).sin()
    labels = torch.arange(29, device=device) * 3 % 8  # 7 is the background
    for gamma in (2.0, 1.5):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            assert_same_loss(
                lambda x, gamma=gamma: torch.ops.mmdet_solo.sigmoid_focal_loss(
                    x, labels, gamma, 0.25
                ),
                lambda x, gamma=gamma: sigmoid_focal_loss_reference(x, labels, gamma=gamma),
                logits.to(dtype),
            )


class _Context(AutogradContext, Protocol):
    gamma: float
    alpha: float


def _setup_context(ctx: _Context, inputs: tuple, output: Tensor) -> None:
    logits, labels, ctx.gamma, ctx.alpha = inputs
    ctx.save_for_backward(logits, labels)


def _backward(ctx: _Context, grad: Tensor) -> tuple[Tensor, None, None, None]:
    logits, labels = ctx.saved_tensors
    grad_logits = torch.ops.mmdet_solo.sigmoid_focal_loss_backward(
        grad, logits, labels, ctx.gamma, ctx.alpha
    )
    return grad_logits, None, None, None


if IS_LOADED:
    torch.library.register_autograd(
        'mmdet_solo::sigmoid_focal_loss', _backward, setup_context=_setup_context
    )

    @torch.library.register_fake('mmdet_solo::sigmoid_focal_loss')
    def _(logits: Tensor, labels: Tensor, gamma: float, alpha: float) -> Tensor:
        dtype = torch.promote_types(logits.dtype, torch.float32)
        return logits.new_empty(logits.shape, dtype=dtype)

    @torch.library.register_fake('mmdet_solo::sigmoid_focal_loss_backward')
    def _(grad: Tensor, logits: Tensor, labels: Tensor, gamma: float, alpha: float) -> Tensor:
        return logits.new_empty(logits.shape)
