"""Deformable convolution under mmcv's names, on torchvision's operator.

DCN: Dai et al., Deformable Convolutional Networks, 2017, https://arxiv.org/abs/1703.06211.
DCNv2: Zhu et al., Deformable ConvNets v2, 2019, https://arxiv.org/abs/1811.11168.
"""

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from mmdet.errors import UserError
from mmdet.ops import recomputes
from mmdet.registry import MODELS


class _DeformConv2d(nn.Conv2d):
    """A convolution that predicts, for each output pixel, where to read its input.

    It begins as an ordinary convolution: all offsets are zero.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel_size: side of the kernel.
        stride: pixels of the input from one position of the kernel to the next.
        padding: zeros added to each side of the input.
        dilation: pixels of the input from one element of the kernel to the next.
        groups: of channels, convolved apart.
        bias: add a learned bias.
        deform_groups: groups of input channels with offsets of their own.
        deformable_groups: its name in older configs.
        fallback_on_stride: must be False; with True mmdetection builds no deformable convolution.
    """

    predictions_per_position = 2  # y and x

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        deform_groups: int = 1,
        deformable_groups: int | None = None,
        fallback_on_stride: bool = False,
    ) -> None:
        if fallback_on_stride:
            raise UserError('fallback_on_stride=True means no deformable convolution: leave it out')
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        height, width = self.kernel_size
        self.num_positions = (deformable_groups or deform_groups) * height * width
        self.conv_offset = nn.Conv2d(
            in_channels,
            self.predictions_per_position * self.num_positions,
            kernel_size,
            stride,
            padding,
            dilation,
        )
        self.reset_offsets()

    def init_weights(self) -> None:
        """Initialise as mmcv does; mmcv's `ConvModule` would choose otherwise."""
        self.reset_parameters()
        self.reset_offsets()

    def reset_offsets(self) -> None:
        """Let it begin as an ordinary convolution."""
        for parameter in self.conv_offset.parameters():
            nn.init.zeros_(parameter)

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, out_channels, H', W') for a (B, in_channels, H, W) feature."""
        # bfloat16 cannot tell 5.3 pixels from 5.31.
        with torch.autocast(input.device.type, enabled=False), recomputes(input):
            feature = input.to(self.weight.dtype)
            predicted = self.conv_offset(feature)
            return deform_conv2d(
                feature,
                predicted[:, : 2 * self.num_positions],
                self.weight,
                self.bias,
                stride=_pair(self.stride),
                padding=_pair(self.padding),
                dilation=_pair(self.dilation),
                mask=self.modulation(predicted[:, 2 * self.num_positions :]),
            )

    def modulation(self, logits: Tensor) -> Tensor | None:
        """Return the weight of each position that is read; None: all the same."""
        return None


def _pair(setting: str | tuple[int, ...]) -> tuple[int, int]:
    """Return a setting of `nn.Conv2d` as torchvision's operator takes it."""
    assert not isinstance(setting, str)  # nothing pads here by a name
    height, width = setting
    return height, width


@MODELS.register_module('DCN')
class DeformConv2d(_DeformConv2d):
    """Deformable convolution; see the base class for the arguments."""


@MODELS.register_module('DCNv2')
class ModulatedDeformConv2d(_DeformConv2d):
    """Deformable convolution that also weighs what it reads; see the base class."""

    predictions_per_position = 3  # y, x and the weight

    def modulation(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


def reset_offsets(module: nn.Module) -> None:
    """Let every deformable convolution in a module begin as an ordinary one.

    An `init_cfg` for `Conv2d` reaches the convolution that predicts the offsets as well.
    """
    for layer in module.modules():
        if isinstance(layer, _DeformConv2d):
            layer.reset_offsets()
