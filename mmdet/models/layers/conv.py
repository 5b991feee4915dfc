"""Convolutions with their norm and activation, and towers of them."""

from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmdet.ops import group_norm_relu
from mmdet.registry import MODELS

from .conv3x3 import Conv3x3


class ConvBlock(ConvModule):
    """A convolution, a norm and ReLU, where of group norms the two are computed as one."""

    def forward(self, x: Tensor, activate: bool = True, norm: bool = True) -> Tensor:
        group_norm = self.norm
        if not (activate and norm and isinstance(group_norm, nn.GroupNorm) and group_norm.affine):
            return super().forward(x, activate, norm)
        return group_norm_relu(
            self.conv(x),
            group_norm.num_groups,
            group_norm.weight,
            group_norm.bias,
            eps=group_norm.eps,
        )


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
        conv_cfg: another convolution than an ordinary one, for example `dict(type='DCNv2')`.
    """
    # The class, since mmcv looks names up in whatever scope is active.
    if conv_cfg is not None:
        conv_cfg = {**conv_cfg, 'type': MODELS.get(conv_cfg['type'])}
    elif kernel_size == 3:
        conv_cfg = dict(type=Conv3x3)
    return ConvBlock(
        in_channels,
        out_channels,
        kernel_size,
        padding=kernel_size // 2,
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
