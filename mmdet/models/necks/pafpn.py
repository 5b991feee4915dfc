"""Path aggregation (Liu et al., Path Aggregation Network for Instance Segmentation, 2018)."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mmdet.registry import MODELS

from .fpn import FPN


@MODELS.register_module()
class PAFPN(FPN):
    """A feature pyramid whose fine levels reach the coarse ones by a way up of its own.

    Args:
        in_channels: see `FPN`.
        out_channels: see `FPN`.
        num_outs: see `FPN`.
        **kwargs: further arguments of `FPN`.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: int, num_outs: int, **kwargs: Any
    ) -> None:
        super().__init__(in_channels, out_channels, num_outs, **kwargs)
        ways_up = range(len(self.lateral_convs) - 1)
        self.downsample_convs = nn.ModuleList(self.conv3x3(out_channels, stride=2) for _ in ways_up)
        self.pafpn_convs = nn.ModuleList(self.conv3x3(out_channels) for _ in ways_up)

    def levels(self, merged: list[Tensor]) -> list[Tensor]:
        """Return the level of each merged map."""
        finest, *coarser = super().levels(merged)
        levels, below = [finest], finest
        for level, down, conv in zip(coarser, self.downsample_convs, self.pafpn_convs, strict=True):
            below = self.add(level, down(below))
            levels.append(conv(below))
        return levels
