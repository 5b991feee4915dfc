"""Masks of a fixed number of cells, drawn as a graph of fixed shapes can.

`BaseSOLOHead.cell_masks` draws the cells of one level, however many they are. An exported graph
has as many candidates for every image, of whatever levels: here it is said for each head how it
draws those at once, by the same formulas.

Shape letters: G cells of all levels, K candidates, S cells along a grid's side, C channels, (h, w)
a quarter of the padded input.
"""

from collections.abc import Sequence
from functools import singledispatch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet.models.heads import BaseSOLOHead, SOLOHead, SOLOV2Head
from mmdet.models.heads.decoupled_solo_head import BaseDecoupledHead
from mmdet.models.heads.features import apply_rows, resize_maps
from mmdet.models.heads.lines import draw_lines
from mmdet.models.heads.outputs import HeadOutputs


def level_starts(num_grids: Sequence[int]) -> list[int]:
    """Return the index of each level's first cell among those of all levels.

    Examples:
        >>> level_starts([4, 3, 2])
        [0, 16, 25]
    """
    starts = [0]
    for num_grid in num_grids[:-1]:
        starts.append(starts[-1] + num_grid**2)
    return starts


@singledispatch
def draw_candidates(head: BaseSOLOHead, outputs: HeadOutputs, cells: Tensor) -> Tensor:
    """Return the (K, h, w) mask probabilities of some cells of the batch's only image.

    Args:
        head: decides how.
        outputs: of the head, for one image.
        cells: (K,) indices from 0 to G - 1.
    """
    raise NotImplementedError(type(head).__name__)


@draw_candidates.register
def _(head: SOLOHead, outputs: HeadOutputs, cells: Tensor) -> Tensor:
    convs = [conv for conv in head.conv_mask_list if isinstance(conv, nn.Conv2d)]
    rows = torch.cat([conv.weight.flatten(1) for conv in convs]).index_select(0, cells)
    bias = torch.cat([conv.get_parameter('bias') for conv in convs]).index_select(0, cells)
    starts = level_starts(head.num_grids)
    masks = None
    # Only the level of a candidate has its mask, but which that is differs from image to image: so
    # each draws them all. Levels of one size are told apart before they are resized.
    for stride in dict.fromkeys(head.mask_strides):
        maps = None
        levels = [index for index, each in enumerate(head.mask_strides) if each == stride]
        for level in levels:
            drawn = apply_rows([rows], head.source(outputs, level, [0]))
            maps = drawn if maps is None else _from_cell(starts[level], cells, drawn, maps)
        assert maps is not None
        maps = maps + bias[:, None, None]
        doubled = F.interpolate(maps[:, None], scale_factor=2, mode='bilinear').transpose(0, 1)
        drawn = resize_maps(doubled.sigmoid(), outputs.mask_size)[0]
        masks = drawn if masks is None else _from_cell(starts[levels[0]], cells, drawn, masks)
    assert masks is not None
    return masks


def _from_cell(start: int, cells: Tensor, later: Tensor, earlier: Tensor) -> Tensor:
    """Choose the later level's maps for the cells from `start` on, else the earlier ones'."""
    return torch.where((cells >= start)[:, None, None], later, earlier)


@draw_candidates.register
def _(head: BaseDecoupledHead, outputs: HeadOutputs, cells: Tensor) -> Tensor:
    # All lines of all levels are fewer than the candidates, each of which is two of them.
    every = [torch.arange(num_grid, device=cells.device) for num_grid in head.num_grids]
    first = [sum(head.num_grids[:level]) for level in range(len(head.num_grids))]
    columns = [line.repeat(len(line)) + at for line, at in zip(every, first, strict=True)]
    rows = [line.repeat_interleave(len(line)) + at for line, at in zip(every, first, strict=True)]
    masks = None
    for convs, side, lines in (
        (head.conv_mask_list_x, 0, columns),
        (head.conv_mask_list_y, 1, rows),
    ):
        maps = []
        for level, (conv, line) in enumerate(zip(convs, every, strict=True)):
            assert isinstance(conv, nn.Conv2d)
            logits = draw_lines(conv, head.source(outputs, level, [0])[side], [line])
            maps.append(resize_maps(logits.sigmoid()[None], outputs.mask_size)[0])
        factor = torch.cat(maps).index_select(0, torch.cat(lines).index_select(0, cells))
        masks = factor if masks is None else masks * factor
    assert masks is not None
    return masks


@draw_candidates.register
def _(head: SOLOV2Head, outputs: HeadOutputs, cells: Tensor) -> Tensor:
    sources = [head.source(outputs, level, [0]) for level in range(len(head.num_grids))]
    kernels = torch.cat([kernels[0] for kernels, _ in sources])
    return apply_rows([kernels.index_select(0, cells)], head.mask_feature(outputs)).sigmoid()
