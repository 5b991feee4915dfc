"""What the heads do to features, as pure functions."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def apply_rows(rows: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
    """Apply to each image's feature 1 x 1 convolutions of its own.

    Args:
        rows: for each image, (P_i, C) weights.
        features: for each image, (C, h, w).

    Returns:
        (P, h, w) maps, image after image.
    """
    maps = [weights @ feature.flatten(1) for weights, feature in zip(rows, features, strict=True)]
    return torch.cat(maps).unflatten(1, features[0].shape[-2:])


def resize_ends(feats: Sequence[Tensor]) -> list[Tensor]:
    """Halve the first level and bring the last to the size of the one before it."""
    first = F.interpolate(feats[0], scale_factor=0.5, mode='bilinear')
    last = F.interpolate(feats[-1], size=feats[-2].shape[-2:], mode='bilinear')
    return [first, *feats[1:-1], last]
