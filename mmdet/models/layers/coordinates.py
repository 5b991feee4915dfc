"""Coordinate channels (Liu et al., CoordConv, 2018): they tell a convolution where it is."""

import torch
from torch import Tensor


def with_coordinates(feature: Tensor, axes: str = 'xy') -> Tensor:
    """Append the x and the y of each pixel, from -1 to 1, to a (B, C, H, W) feature.

    Args:
        feature: (B, C, H, W).
        axes: `xy`, `x` or `y`: which of them.
    """
    batch, _, height, width = feature.shape
    options = dict(device=feature.device, dtype=feature.dtype)
    grids = dict(
        x=torch.linspace(-1, 1, width, **options).expand(height, width),
        y=torch.linspace(-1, 1, height, **options)[:, None].expand(height, width),
    )
    chosen = torch.stack([grids[axis] for axis in axes])
    return torch.cat((feature, chosen.expand(batch, -1, -1, -1)), dim=1)
