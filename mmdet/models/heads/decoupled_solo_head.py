"""Decoupled SOLO: a cell's mask is the product of its column's map and its row's."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet.models.layers import with_coordinates
from mmdet.registry import MODELS

from .base_solo_head import BaseSOLOHead
from .features import apply_rows, doubled_levels_strides, each_image
from .outputs import HeadOutputs

# For one level: the features of the columns' maps and those of the rows', image by image.
LineSource = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]


class BaseDecoupledHead(BaseSOLOHead):
    """What both variants do: draw a mask from a map of its column and one of its row.

    A subclass builds `conv_mask_list_x` and `conv_mask_list_y`, after its towers.
    """

    conv_mask_list_x: nn.ModuleList
    conv_mask_list_y: nn.ModuleList
    predicting_convs = ('conv_mask_list_x', 'conv_mask_list_y', 'conv_cls')
    num_factors = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mask_strides = doubled_levels_strides(self.strides)

    def line_convs(self) -> nn.ModuleList:
        """Return for each level a convolution to the maps of its grid's S rows or columns."""
        return nn.ModuleList(
            nn.Conv2d(self.feat_channels, num_grid, 3, padding=1) for num_grid in self.num_grids
        )

    def cell_masks(self, source: LineSource, level: int, cells: Sequence[Tensor]) -> Tensor:
        """See `BaseSOLOHead.cell_masks`; two factors, at half the level's stride."""
        num_grid = self.num_grids[level]
        columns, rows = source
        conv_x, conv_y = self.conv_mask_list_x[level], self.conv_mask_list_y[level]
        assert isinstance(conv_x, nn.Conv2d) and isinstance(conv_y, nn.Conv2d)
        return torch.stack(
            (
                draw_lines(conv_x, columns, [part % num_grid for part in cells]),
                draw_lines(conv_y, rows, [part // num_grid for part in cells]),
            )
        )


@MODELS.register_module()
class DecoupledSOLOHead(BaseDecoupledHead):
    """Decoupled SOLO's head (Wang et al., SOLO, 2020, section 4): 2 S maps instead of S * S.

    The arguments are those of `BaseSOLOHead`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mask_convs_x = self.tower(self.in_channels + 1)
        self.mask_convs_y = self.tower(self.in_channels + 1)
        self.conv_mask_list_x = self.line_convs()
        self.conv_mask_list_y = self.line_convs()

    def mask_source(self, outputs: HeadOutputs, level: int, images: Sequence[int]) -> LineSource:
        """Return both towers' outputs, (C, h, w) for each image."""
        feature = outputs.level(level, images)
        return (
            each_image(self.mask_convs_x(with_coordinates(feature, 'x'))),
            each_image(self.mask_convs_y(with_coordinates(feature, 'y'))),
        )


@MODELS.register_module()
@dataclass(eq=False, repr=False, kw_only=True)
class DecoupledSOLOLightHead(BaseDecoupledHead):
    """The light variant: rows and columns share one tower.

    The arguments are those of `BaseSOLOHead`.
    """

    dcn_apply_to_all_conv: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mask_convs = self.tower(self.in_channels + 2)
        self.conv_mask_list_x = self.line_convs()
        self.conv_mask_list_y = self.line_convs()

    def mask_source(self, outputs: HeadOutputs, level: int, images: Sequence[int]) -> LineSource:
        """Return the tower's output, (C, h, w) for each image, twice."""
        return (each_image(self.mask_convs(with_coordinates(outputs.level(level, images)))),) * 2


def draw_lines(conv: nn.Conv2d, features: Sequence[Tensor], lines: Sequence[Tensor]) -> Tensor:
    """Return some output channels of a 3 x 3 convolution over doubled features.

    The features are never doubled. A 3 x 3 convolution is nine 1 x 1 convolutions whose results
    are shifted and added, and those commute with bilinear resizing: they are applied small, to
    the wanted lines alone, and their maps doubled. That takes a quarter of the multiplications,
    and keeps nothing of the doubled size for the backward pass.

    Args:
        conv: with S output channels, one for each line of the grid.
        features: for each image, (C, h, w).
        lines: for each image, (P_i,) output channels; one may stand there often.

    Returns:
        (P, 2 h, 2 w) logits, image after image.
    """
    bias = conv.bias
    assert bias is not None  # `line_convs` builds them with it
    drawn: list[Tensor] = []
    picked: list[Tensor] = []
    count = 0
    every = torch.arange(conv.out_channels, device=conv.weight.device)
    for wanted in lines:
        # No line is drawn more often than it takes to draw them all.
        if len(wanted) < len(every):
            drawn.append(wanted)
            picked.append(count + torch.arange(len(wanted), device=wanted.device))
        else:
            drawn.append(every)
            picked.append(count + wanted)
        count += len(drawn[-1])
    chosen = torch.cat(drawn)
    # `fold` adds at y + dy what a convolution reads from y - dy: hence the flip.
    taps = conv.weight.index_select(0, chosen).flip(2, 3).flatten(2).transpose(1, 2)  # (K, 9, C)
    rows = [part.flatten(0, 1) for part in taps.split([len(part) for part in drawn])]
    maps = apply_rows(rows, features).unflatten(0, (-1, 9))
    # Nine half precision numbers would be added with a rounding each.
    doubled = F.interpolate(maps.to(bias.dtype), scale_factor=2, mode='bilinear')
    summed = _add_shifted(doubled) + bias.index_select(0, chosen)[:, None, None]
    return summed.index_select(0, torch.cat(picked))


def _add_shifted(taps: Tensor) -> Tensor:
    """Add up the nine (P, 9, h, w) maps of 3 x 3 convolutions, each moved to where it belongs."""
    if torch.compiler.is_exporting():
        # Few other runtimes know `fold`; all can slice. Backward, slices would take five times
        # as long as it does.
        height, width = taps.shape[-2:]
        padded = F.pad(taps, (1, 1, 1, 1))
        moved = [
            padded[:, 3 * row + column, 2 - row : 2 - row + height, 2 - column : 2 - column + width]
            for row in range(3)
            for column in range(3)
        ]
        return sum(moved[1:], moved[0])
    return F.fold(taps.flatten(2), taps.shape[-2:], kernel_size=3, padding=1)[:, 0]
