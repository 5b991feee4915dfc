"""Decoupled SOLO: a cell's mask is the product of its column's map and its row's."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from mmdet.models.layers import with_coordinates
from mmdet.registry import MODELS

from .base_solo_head import BaseSOLOHead
from .features import doubled_levels_strides, each_image, resize_maps
from .lines import KnownLines, draw_lines, draw_lines_of_cells
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
        lines = ([part % num_grid for part in cells], [part // num_grid for part in cells])
        drawn = zip(self.line_convs_of(level), source, lines, strict=True)
        return torch.stack([draw_lines_of_cells(*each) for each in drawn])

    def cell_probabilities(
        self, outputs: HeadOutputs, image: int, level: int, cells: Tensor
    ) -> Tensor:
        """See `BaseSOLOHead.cell_probabilities`; an image's line is drawn once for all its cells.

        So what is kept of an image are at most the 2 S maps of each level, however many cells
        there are.
        """
        num_grid = self.num_grids[level]
        columns, rows = outputs.once(
            ('lines', level, image), lambda: self.known_lines(outputs, image, level)
        )
        return columns[cells % num_grid] * rows[cells // num_grid]

    def known_lines(
        self, outputs: HeadOutputs, image: int, level: int
    ) -> tuple[KnownLines, KnownLines]:
        """Return the probabilities of an image's columns and rows, which are drawn when asked for.

        They are at a quarter of the input.
        """

        # Not `outputs`, which holds what is returned: a circle would keep an image's features.
        size = outputs.mask_size

        def draw(conv: nn.Conv2d, feature: Sequence[Tensor], lines: Tensor) -> Tensor:
            chosen = lines.to(conv.weight.device, non_blocking=True)
            logits = draw_lines(conv, feature, [chosen])
            return resize_maps(logits.sigmoid()[None], size)[0]

        source = self.source(outputs, level, [image])
        columns, rows = (
            KnownLines(partial(draw, conv, feature))
            for conv, feature in zip(self.line_convs_of(level), source, strict=True)
        )
        return columns, rows

    def line_convs_of(self, level: int) -> tuple[nn.Conv2d, nn.Conv2d]:
        """Return the convolutions of one level's columns and rows."""
        conv_x, conv_y = self.conv_mask_list_x[level], self.conv_mask_list_y[level]
        assert isinstance(conv_x, nn.Conv2d) and isinstance(conv_y, nn.Conv2d)
        return conv_x, conv_y


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
