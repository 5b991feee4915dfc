"""Feature pyramid (Lin et al., Feature Pyramid Networks for Object Detection, 2017)."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.layers import Conv3x3
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
            above = F.interpolate(merged[0], size=lateral.shape[-2:], mode='nearest')
            merged.insert(0, lateral.add_(above))  # nobody needs the lateral alone
        outs = [conv(x) for conv, x in zip(self.fpn_convs, merged, strict=True)]
        for _ in range(self.num_extra):
            outs.append(F.max_pool2d(outs[-1], 1, stride=2))
        return tuple(outs)
