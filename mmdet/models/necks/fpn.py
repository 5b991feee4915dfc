"""Feature pyramid (Lin et al., Feature Pyramid Networks for Object Detection, 2017)."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.layers import Conv3x3
from mmdet.models.layers.hooks import has_hooks
from mmdet.ops import can_be_recomputed
from mmdet.registry import MODELS


@MODELS.register_module()
class FPN(BaseModule):
    """Top-down pyramid with lateral connections; levels beyond the inputs are subsampled.

    Args:
        in_channels: of each input, from the finest to the coarsest.
        out_channels: of every output.
        num_outs: levels returned; the inputs from `start_level` on, then each a max pooling of
            the one before.
        start_level: first input that is used.
        norm_cfg: norm layer of the convolutions, none by default.
        init_cfg: see mmengine's `BaseModule`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int,
        start_level: int = 0,
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        init_cfg = init_cfg or dict(type='Xavier', layer='Conv2d', distribution='uniform')
        super().__init__(init_cfg=init_cfg)
        used = in_channels[start_level:]
        if num_outs < len(used):
            raise UserError(f'num_outs {num_outs} is less than the {len(used)} inputs in use')
        self.in_channels = list(in_channels)
        self.start_level = start_level
        self.num_extra = num_outs - len(used)
        self.lateral_convs = nn.ModuleList(
            ConvModule(channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None)
            for channels in used
        )
        self.fpn_convs = nn.ModuleList(
            ConvModule(
                out_channels,
                out_channels,
                3,
                padding=1,
                conv_cfg=dict(type=Conv3x3),
                norm_cfg=norm_cfg,
                act_cfg=None,
            )
            for _ in used
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return (B, out_channels, H, W) levels from the finest to the coarsest.

        Raises:
            UserError: the inputs have other channels than `in_channels`.
        """
        given = [feature.shape[1] for feature in inputs]
        if given != self.in_channels:
            raise UserError(
                f'the backbone gives features of {given} channels, but the neck takes '
                f'{self.in_channels}: set model.neck.in_channels={given}'
            )
        laterals = [
            conv(x) for conv, x in zip(self.lateral_convs, inputs[self.start_level :], strict=True)
        ]
        merged = [laterals[-1]]
        for lateral in reversed(laterals[:-1]):
            merged.insert(0, _merge(lateral, merged[0]))
        if len(merged) > 1:
            _keep_nothing_of(merged[0], self.lateral_convs[0], inputs[self.start_level], merged[1])
        outs = [conv(x) for conv, x in zip(self.fpn_convs, merged, strict=True)]
        for _ in range(self.num_extra):
            outs.append(F.max_pool2d(outs[-1], 1, stride=2))
        return tuple(outs)


def _merge(lateral: Tensor, above: Tensor) -> Tensor:
    """Add what is above to a lateral, which nobody needs alone."""
    return lateral.add_(F.interpolate(above, size=lateral.shape[-2:], mode='nearest'))


def _keep_nothing_of(finest: Tensor, block: nn.Module, feature: Tensor, above: Tensor) -> None:
    """Let the finest merged map, the largest of all, be computed again for its convolution.

    The two that it was computed from are kept anyway, for the gradients of weights.
    """
    assert isinstance(block, ConvModule)
    conv = block.conv
    # A norm in training would count the batch twice; who watches a layer sees it called once.
    if block.with_norm or type(conv) is not nn.Conv2d or has_hooks(block) or has_hooks(conv):
        return
    assert conv.bias is not None  # where no norm has one
    if finest.requires_grad and not torch.compiler.is_compiling():
        compute = partial(_again, finest.dtype)
        can_be_recomputed(finest, compute, (feature, above), (conv.weight, conv.bias))


def _again(
    dtype: torch.dtype, feature: Tensor, above: Tensor, weight: Tensor, bias: Tensor
) -> Tensor:
    # Autocast, which chose the type, is over in the backward pass.
    return _merge(F.conv2d(feature.to(dtype), weight.to(dtype), bias.to(dtype)), above)
