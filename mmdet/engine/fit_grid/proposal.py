"""Which grids, ranges and size suit objects; pure functions of where these are.

What is aimed at is what SOLO was designed for: objects of half of COCO's size distribution at
1333 x 800, shared out evenly among the levels, on grids no finer than their number asks for. A cell
learns its masks from the objects around it alone, so fewer cells see more objects each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mmdet.models.assigners.coverage import Coverage, Fate
from mmdet.models.assigners.grid_assigner import box_scale

from .objects import Objects

MEDIAN = 80.0
"""sqrt(box area) in pixels, which half of COCO's objects are below at 1333 x 800."""
FACTORS = (0.25, 0.375, 0.5, 0.625, 0.75, 1.0, 1.25, 1.5, 2.0)
"""How many times as high and wide the input may become; 256 pixels stay a multiple of 32."""
GRIDS = (5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80)
POS_SCALES = (0.4, 0.3, 0.2, 0.1)
LOSS = 0.005
"""The share of objects that a coarser grid may lose against the finest."""
_LARGEST = 2048.0
_RATIO = 1.3  # between the ends of ranges, at least
_MASK_PIXELS = 6  # of an object's side, at least, in the masks of the level that draws it


@dataclass(frozen=True)
class GridSettings:
    """What a head and a pipeline are set to.

    Attributes:
        factor: of the input's height and width to what they are now.
        num_grids: S of each level.
        scale_ranges: sqrt(box area) in pixels that each level takes.
        pos_scale: the part of the box, around the centre, whose cells learn it.
    """

    factor: float
    num_grids: tuple[int, ...]
    scale_ranges: tuple[tuple[float, float], ...]
    pos_scale: float

    def coverage(self, objects: Objects) -> Coverage:
        """Return what is learned of objects; they are of the input's size now."""
        resized = objects.resized(self.factor)
        return resized.coverage(self.num_grids, self.scale_ranges, self.pos_scale)


def propose(
    objects: Objects, mask_strides: Sequence[int], *, most: float = FACTORS[-1], least: float = 0
) -> GridSettings:
    """Return settings that suit objects.

    Args:
        objects: as the pipeline delivers them now.
        mask_strides: of each level, how many pixels of the input one of its masks' pixels is.
        most: the input becomes at most so many times as high and wide.
        least: likewise, at least.
    """
    factor = min(max(propose_factor(objects), least), most)
    objects = objects.resized(factor)
    ranges = propose_ranges(objects, mask_strides)
    grids = propose_grids(objects, ranges)
    shares = {scale: _share_learnt(objects, grids, ranges, scale) for scale in POS_SCALES}
    enough = max(shares.values()) - LOSS
    pos_scale = next(scale for scale in POS_SCALES if shares[scale] >= enough)
    return GridSettings(factor, grids, ranges, pos_scale)


def propose_factor(objects: Objects) -> float:
    """Return the factor that brings the median object nearest to the size that it has in COCO."""
    median = box_scale(objects.truth.bboxes).median().item()
    return min(FACTORS, key=lambda factor: abs(math.log(max(median, 1e-6) * factor / MEDIAN)))


def propose_ranges(
    objects: Objects, mask_strides: Sequence[int]
) -> tuple[tuple[float, float], ...]:
    """Return the ranges of the levels, so that each takes as many objects.

    As in SOLO, an object between two ends belongs to two levels: level i takes those between ends
    i and i + 2. A level whose masks are coarse takes no objects that are a few pixels in them.
    """
    levels = len(mask_strides)
    scales = box_scale(objects.truth.bboxes)
    shares = torch.linspace(0, 1, levels + 2)[1:-1]
    ends = [1.0]
    for level, end in enumerate(scales.quantile(shares).tolist(), start=1):
        coarsest = mask_strides[min(level, levels - 1)]
        ends.append(max(end, _MASK_PIXELS * coarsest, _RATIO * ends[-1]))
    ends.append(max(_LARGEST, 2 * scales.max().item()))
    ends = [round(end) for end in ends]
    return tuple((ends[i], ends[i + 2]) for i in range(levels))


def propose_grids(objects: Objects, ranges: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Return for each level the coarsest grid that loses next to none of its objects."""
    grids = []
    for level in ranges:
        shares = [_share_learnt(objects, [grid], [level], POS_SCALES[-1]) for grid in GRIDS]
        enough = max(shares) - LOSS
        grids.append(
            next(grid for grid, share in zip(GRIDS, shares, strict=True) if share >= enough)
        )
    return tuple(grids)


def _share_learnt(
    objects: Objects,
    grids: Sequence[int],
    ranges: Sequence[tuple[float, float]],
    pos_scale: float,
) -> float:
    """Return the share of the objects in these ranges that some cell learns; 1 of none."""
    coverage = objects.coverage(grids, ranges, pos_scale)
    inside = coverage.in_range.any(0)
    if not inside.any():
        return 1.0
    return (coverage.fates[inside] == Fate.LEARNT).double().mean().item()
