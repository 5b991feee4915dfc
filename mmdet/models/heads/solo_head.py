"""SOLO: one output channel of a 1 x 1 convolution for each cell of the grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet.models.layers import conv_tower, with_coordinates
from mmdet.registry import MODELS

from .base_solo_head import BaseSOLOHead, HeadOutputs


@dataclass
class SOLOOutputs(HeadOutputs):
    """See `HeadOutputs`.

    Attributes:
        mask_feats: for each level and image the (C', h', w') output of the mask tower, at the
            level's stride.
    """

    mask_feats: list[tuple[Tensor, ...]]


@MODELS.register_module()
class SOLOHead(BaseSOLOHead):
    """SOLO's head (Wang et al., SOLO: Segmenting Objects by Locations, 2020).

    The published code applies `conv_mask_list` whole, after doubling the tower's output. A 1 x 1
    convolution commutes with bilinear resizing, and a cell's mask needs its own row of the
    weight alone: so the rows of the wanted cells are applied first, and their few maps doubled.
    """

    predicting_convs = ('conv_mask_list', 'conv_cls')

    def init_mask_layers(self) -> None:
        """Build the mask tower and, for each level, the convolution to S * S maps."""
        self.mask_convs = conv_tower(
            self.in_channels + 2, self.feat_channels, self.stacked_convs, norm_cfg=self.norm_cfg
        )
        self.conv_mask_list = nn.ModuleList(
            nn.Conv2d(self.feat_channels, num_grid**2, 1) for num_grid in self.num_grids
        )

    def forward(self, feats: Sequence[Tensor]) -> SOLOOutputs:
        """Run both towers over the (B, C, H, W) pyramid levels."""
        feats = resize_ends(feats)
        cls_preds, mask_feats = [], []
        for feature, num_grid in zip(feats, self.num_grids, strict=True):
            cls_preds.append(self.classify(feature, num_grid))
            feature = with_coordinates(feature)
            for conv in self.mask_convs:
                feature = conv(feature)
            # Indexing image by image would give each a gradient of the whole batch's size.
            mask_feats.append(feature.unbind())
        height, width = feats[0].shape[-2:]
        return SOLOOutputs(cls_preds, (2 * height, 2 * width), mask_feats)

    def cell_masks(
        self, outputs: SOLOOutputs, level: int, images: Sequence[int], cells: Sequence[Tensor]
    ) -> Tensor:
        """See `BaseSOLOHead.cell_masks`; one factor, at half the level's stride."""
        conv = self.conv_mask_list[level]
        chosen = torch.cat(tuple(cells))
        rows = conv.weight.flatten(1).index_select(0, chosen)
        maps = apply_rows(
            rows.split([len(part) for part in cells]),
            [outputs.mask_feats[level][image] for image in images],
        )
        maps = maps + conv.bias.index_select(0, chosen)[:, None, None]
        # The cells stand in the batch's dimension, which may be empty for `interpolate`.
        return F.interpolate(maps[:, None], scale_factor=2, mode='bilinear').transpose(0, 1)


def apply_rows(rows: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
    """Apply to each image's feature 1 x 1 convolutions of its own.

    Args:
        rows: for each image, (P_i, C) weights.
        features: for each image, (C, h, w).

    Returns:
        (P, h, w) maps, image after image.
    """
    maps = [weights @ feature.flatten(1) for weights, feature in zip(rows, features, strict=True)]
    return torch.cat(maps).unflatten(1, features[0].shape[-2:])


def resize_ends(feats: Sequence[Tensor]) -> list[Tensor]:
    """Halve the first level and bring the last to the size of the one before it."""
    first = F.interpolate(feats[0], scale_factor=0.5, mode='bilinear')
    last = F.interpolate(feats[-1], size=feats[-2].shape[-2:], mode='bilinear')
    return [first, *feats[1:-1], last]
