"""Coordinate channels (Liu et al., CoordConv, 2018): they tell a convolution where it is."""

import torch
from torch import Tensor


def with_coordinates(feature: Tensor) -> Tensor:
    """Append the x and the y of each pixel, from -1 to 1, to a (B, C, H, W) feature."""
    batch, _, height, width = feature.shape
    y = torch.linspace(-1, 1, height, device=feature.device, dtype=feature.dtype)
    x = torch.linspace(-1, 1, width, device=feature.device, dtype=feature.dtype)
    grid = torch.stack((x.expand(height, width), y[:, None].expand(height, width)))
    return torch.cat((feature, grid.expand(batch, -1, -1, -1)), dim=1)
