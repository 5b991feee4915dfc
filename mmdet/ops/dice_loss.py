"""Dice loss of binary masks (Milletari et al., V-Net, 2016), in the form that SOLO uses."""

import torch
from torch import Tensor


def dice_loss(
    predictions: Tensor, targets: Tensor, *, activate: bool = True, eps: float = 1e-3
) -> Tensor:
    """Return 1 - Dice coefficient of each mask, with the sums of squares below the fraction.

    Args:
        predictions: (N, H, W) mask logits, or probabilities where `activate` is False.
        targets: (N, H, W) binary masks of any dtype.
        activate: take the sigmoid of the predictions first.
        eps: added to each sum of squares, so that two empty masks are no division by zero.

    Returns:
        (N,) losses in [0, 1], in float32 or better.
    """
    if predictions.shape != targets.shape:
        raise ValueError(
            f'predictions {tuple(predictions.shape)} and targets {tuple(targets.shape)} '
            'differ in shape'
        )
    # Sums over a whole mask overflow float16 and lose bfloat16's last digits.
    if predictions.dtype != torch.float64:
        predictions = predictions.float()
    p = (predictions.sigmoid() if activate else predictions).flatten(1)
    t = targets.to(p.dtype).flatten(1)
    a = (p * t).sum(1)
    b = (p * p).sum(1) + eps
    c = (t * t).sum(1) + eps
    return 1 - 2 * a / (b + c)
