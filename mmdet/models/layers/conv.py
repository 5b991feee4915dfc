"""Convolutions with their norm and activation, and towers of them."""

from collections.abc import Sequence
from typing import overload

from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmdet.ops import group_norm_relu
from mmdet.registry import MODELS

from .conv3x3 import Conv3x3
from .hooks import has_hooks


class ConvBlock(ConvModule):
    """A convolution, a norm and ReLU, where of group norms the two are computed as one."""

    @overload
    def forward(self, x: Tensor, activate: bool = True, norm: bool = True) -> Tensor: ...

    @overload
    def forward(
        self, x: list[Tensor], activate: bool = True, norm: bool = True
    ) -> list[Tensor]: ...

    def forward(
        self, x: Tensor | list[Tensor], activate: bool = True, norm: bool = True
    ) -> Tensor | list[Tensor]:
        """Return (B, out_channels, H, W) for a (B, in_channels, H, W) feature, or for each."""
        layer = self.norm
        if not (activate and norm and isinstance(layer, nn.GroupNorm) and layer.affine):
            if isinstance(x, Tensor):
                return super().forward(x, activate, norm)
            return [super(ConvBlock, self).forward(each, activate, norm) for each in x]
        convolved = [self.conv(x)] if isinstance(x, Tensor) else of_levels(self.conv, x)
        normed = [
            group_norm_relu(each, layer.num_groups, layer.weight, layer.bias, eps=layer.eps)
            for each in convolved
        ]
        return normed[0] if isinstance(x, Tensor) else normed


def of_levels(layer: nn.Module, levels: Sequence[Tensor]) -> list[Tensor]:
    """Call a layer with the (B, C, H, W) features of several levels.

    A `Conv3x3`, and a block with one, takes them at once, in less time: see `conv3x3_levels`. But
    who watches a layer sees one feature after the other.
    """
    if isinstance(layer, Conv3x3 | ConvBlock) and not has_hooks(layer):
        return layer(list(levels))
    return [layer(level) for level in levels]


def conv_block(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    norm_cfg: dict | None,
    conv_cfg: dict | None = None,
) -> ConvBlock:
    """Return a convolution with a norm and ReLU that keeps the size.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel_size: odd.
        norm_cfg: norm layer, for example `dict(type='GN', num_groups=32)`.
        conv_cfg: another convolution than an ordinary one, for example `dict(type='DCNv2')`; with
            `bias=True` it has a bias beside that of the norm.
    """
    bias = (conv_cfg or {}).get('bias', 'auto')  # where there is no norm
    # The class, since mmcv looks names up in whatever scope is active.
    if conv_cfg is not None:
        further = {key: value for key, value in conv_cfg.items() if key != 'bias'}
        conv_cfg = {**further, 'type': MODELS.get(conv_cfg['type'])}
    elif kernel_size == 3:
        conv_cfg = dict(type=Conv3x3)
    return ConvBlock(
        in_channels,
        out_channels,
        kernel_size,
        padding=kernel_size // 2,
        bias=bias,
        conv_cfg=conv_cfg,
        norm_cfg=norm_cfg,
    )


def conv_tower(
    in_channels: int,
    channels: int,
    num_convs: int,
    *,
    norm_cfg: dict | None,
    dcn_cfg: dict | None = None,
    dcn_apply_to_all_conv: bool = True,
) -> nn.Sequential:
    """Return `num_convs` 3 x 3 convolutions, each with a norm and ReLU, that keep the size.

    Args:
        in_channels: of the first convolution's input.
        channels: of every output.
        num_convs: at least 1.
        norm_cfg: norm layer.
        dcn_cfg: deformable convolution to use instead of the ordinary one.
        dcn_apply_to_all_conv: in all of them; False for the last alone.
    """
    return nn.Sequential(
        *(
            conv_block(
                channels if i else in_channels,
                channels,
                3,
                norm_cfg=norm_cfg,
                conv_cfg=dcn_cfg if dcn_apply_to_all_conv or i == num_convs - 1 else None,
            )
            for i in range(num_convs)
        )
    )
