"""SOLO: one output channel of a 1 x 1 convolution for each cell of the grid."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet.models.layers import with_coordinates
from mmdet.registry import MODELS

from .base_solo_head import BaseSOLOHead
from .features import apply_rows, doubled_levels_strides, each_image
from .outputs import HeadOutputs


@MODELS.register_module()
class SOLOHead(BaseSOLOHead):
    """SOLO's head (Wang et al., SOLO: Segmenting Objects by Locations, 2020).

    The published code applies `conv_mask_list` whole, after doubling the tower's output. A 1 x 1
    convolution commutes with bilinear resizing, and a cell's mask needs its own row of the
    weight alone: so the rows of the wanted cells are applied first, and their few maps doubled.

    The arguments are those of `BaseSOLOHead`.
    """

    predicting_convs = ('conv_mask_list', 'conv_cls')

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mask_strides = doubled_levels_strides(self.strides)
        self.mask_convs = self.tower(self.in_channels + 2)
        self.conv_mask_list = nn.ModuleList(
            nn.Conv2d(self.feat_channels, num_grid**2, 1) for num_grid in self.num_grids
        )

    def mask_source(
        self, outputs: HeadOutputs, level: int, images: Sequence[int]
    ) -> tuple[Tensor, ...]:
        """Return for each image the tower's (C, h, w) output, at the level's stride."""
        return each_image(self.mask_convs(with_coordinates(outputs.level(level, images))))

    def cell_masks(self, source: tuple[Tensor, ...], level: int, cells: Sequence[Tensor]) -> Tensor:
        """See `BaseSOLOHead.cell_masks`; one factor, at half the level's stride."""
        conv = self.conv_mask_list[level]
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        chosen = torch.cat(tuple(cells)).to(conv.weight.device, non_blocking=True)
        rows = conv.weight.flatten(1).index_select(0, chosen)
        maps = apply_rows(rows.split([len(part) for part in cells]), source)
        maps = maps + conv.bias.index_select(0, chosen)[:, None, None]
        # The cells stand in the batch's dimension, which may be empty for `interpolate`.
        return F.interpolate(maps[:, None], scale_factor=2, mode='bilinear').transpose(0, 1)
