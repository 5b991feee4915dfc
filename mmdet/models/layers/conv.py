"""The towers of convolutions in front of every prediction."""

from mmcv.cnn import ConvModule
from torch import nn


def conv_tower(
    in_channels: int, channels: int, num_convs: int, *, norm_cfg: dict | None
) -> nn.ModuleList:
    """Return `num_convs` 3 x 3 convolutions, each with a norm and ReLU, that keep the size.

    Args:
        in_channels: of the first convolution's input.
        channels: of every output.
        num_convs: at least 1.
        norm_cfg: norm layer, for example `dict(type='GN', num_groups=32)`.
    """
    return nn.ModuleList(
        ConvModule(channels if i else in_channels, channels, 3, padding=1, norm_cfg=norm_cfg)
        for i in range(num_convs)
    )
