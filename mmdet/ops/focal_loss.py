"""Sigmoid focal loss (Lin et al., Focal Loss for Dense Object Detection, 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def sigmoid_focal_loss(
    logits: Tensor, labels: Tensor, *, gamma: float = 2.0, alpha: float = 0.25
) -> Tensor:
    """Return the focal loss of each logit: -alpha_t (1 - p_t)^gamma log(p_t).

    Args:
        logits: (N, C), one column for each class.
        labels: (N,) class indices in [0, C]; C is the background, positive for no class.
        gamma: how strongly easy examples are suppressed.
        alpha: weight of positives; negatives weigh 1 - alpha.

    Returns:
        (N, C) losses, in float32 or better.
    """
    if labels.shape != logits.shape[:1]:
        raise ValueError(f'labels {tuple(labels.shape)} do not name rows of {tuple(logits.shape)}')
    logits = logits if logits.dtype == torch.float64 else logits.float()
    positive = labels[:, None] == torch.arange(logits.shape[1], device=labels.device)
    signed = torch.where(positive, logits, -logits)  # p_t = sigmoid(signed)
    weight = torch.where(positive, alpha, 1 - alpha)
    return -weight * (-signed).sigmoid().pow(gamma) * F.logsigmoid(signed)
