"""SOLOv2's mask feature: the pyramid's levels merged into one map at its finest stride."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.layers import conv_block, reset_offsets, with_coordinates


class MaskFeatModule(BaseModule):
    """Brings every level to the first one's size, adds them up and predicts the mask feature.

    SOLOv2 (Wang et al., 2020, https://arxiv.org/abs/2003.10152), section 3.2. Level i is doubled i
    times, with a convolution before each; the coarsest also gets coordinates.

    Args:
        in_channels: of every pyramid level.
        feat_channels: of the convolutions.
        start_level: first pyramid level that takes part.
        end_level: the last.
        out_channels: C of the mask feature.
        mask_stride: of the mask feature, in pixels of the input; must be 4, that of the pyramid's
            level 0, to which all are brought.
        conv_cfg: convolution layer, for example `dict(type='DCNv2')`.
        norm_cfg: norm layer.
        init_cfg: see mmengine's `BaseModule`.
    """

    def __init__(
        self,
        in_channels: int,
        feat_channels: int,
        start_level: int,
        end_level: int,
        out_channels: int,
        mask_stride: int = 4,
        conv_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg or dict(type='Normal', layer='Conv2d', std=0.01))
        if not 0 <= start_level <= end_level:
            raise UserError(f'start_level {start_level} and end_level {end_level} are no range')
        if mask_stride != 4:
            raise UserError(f'mask_stride must be 4, that of the finest level, not {mask_stride}')
        self.start_level = start_level
        self.end_level = end_level
        self.out_channels = out_channels
        self.mask_stride = mask_stride
        self.convs_all_levels = nn.ModuleList()
        for level in range(start_level, end_level + 1):
            convs = nn.Sequential()
            channels = in_channels + 2 * (level == end_level > start_level)
            for index in range(max(level, 1)):
                conv = conv_block(channels, feat_channels, 3, norm_cfg=norm_cfg, conv_cfg=conv_cfg)
                # Level 0 alone keeps its size; its convolution has its name all the same.
                convs.add_module(f'conv{index}', conv)
                channels = feat_channels
            self.convs_all_levels.append(convs)
        self.conv_pred = conv_block(
            feat_channels, out_channels, 1, norm_cfg=norm_cfg, conv_cfg=conv_cfg
        )

    def init_weights(self) -> None:
        """Initialise as `init_cfg` says."""
        super().init_weights()
        reset_offsets(self)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Return the (B, out_channels, H, W) mask feature of (B, in_channels, H, W) levels."""
        merged: Tensor | None = None
        for level, convs in enumerate(self.convs_all_levels, start=self.start_level):
            assert isinstance(convs, nn.Sequential)  # a ModuleList does not say of what
            feature = feats[level]
            if level == self.end_level > self.start_level:
                feature = with_coordinates(feature)
            for conv in convs:
                feature = conv(feature)
                if level > 0:
                    feature = F.interpolate(feature, scale_factor=2, mode='bilinear')
            # Into the doubled one, which nobody else reads; the finest may be what its ReLU keeps.
            merged = feature if merged is None else feature.add_(merged)
        return self.conv_pred(merged)
