"""Which objects a grid can learn, and why not the others: the assigner's rule, looked at.

Shape letters: B images, L levels, T instances in all of them, P claims.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import torch
from torch import Tensor

from .grid_assigner import box_scale, claim_cells, in_range, latest_claims
from .ground_truth import GroundTruth


class Fate(IntEnum):
    """What becomes of an instance in training.

    Attributes:
        LEARNT: at least one cell has it as its category.
        EMPTY: its mask has no pixel.
        NO_RANGE: no level takes objects of its size.
        LOST: later annotations won each of the cells that it claims.
    """

    LEARNT = 0
    EMPTY = 1
    NO_RANGE = 2
    LOST = 3


@dataclass(frozen=True, eq=False, repr=False)
class Coverage:
    """What the cells of a grid learn of the T instances of B images.

    All tensors are on the CPU. An instance belongs to each level whose range holds its size, claims
    cells around its centre there, and keeps those that no later annotation claims, too.

    Attributes:
        num_grids: S of each of the L levels.
        scales: (T,) sqrt(box area) in pixels of the input.
        areas: (T,) numbers of pixels of the masks.
        in_range: (L, T) whether the level takes objects of this size; of empty masks, too.
        level: (P,) level of each claim.
        image: (P,) index of its image.
        cell: (P,) row * S + column in the level's S x S grid.
        instance: (P,) index of the instance that claims the cell.
        winner: (P,) index of the instance that the cell learns: the last one that claims it.
        is_contested: (P,) whether another instance claims the cell, too.
    """

    num_grids: tuple[int, ...]
    scales: Tensor
    areas: Tensor
    in_range: Tensor
    level: Tensor
    image: Tensor
    cell: Tensor
    instance: Tensor
    winner: Tensor
    is_contested: Tensor

    @property
    def wins(self) -> Tensor:
        """(P,) whether this claim is the one that the cell learns."""
        return self.winner == self.instance

    @cached_property
    def claimed(self) -> Tensor:
        """(L, T) on how many cells each instance has a claim."""
        return self._number_of(torch.ones_like(self.wins))

    @cached_property
    def kept(self) -> Tensor:
        """(L, T) how many cells learn each instance."""
        return self._number_of(self.wins)

    @cached_property
    def fates(self) -> Tensor:
        """(T,) integers, each a `Fate`."""
        fates = torch.full_like(self.areas, Fate.LOST)
        fates[~self.in_range.any(0)] = Fate.NO_RANGE
        fates[self.areas == 0] = Fate.EMPTY
        fates[self.kept.any(0)] = Fate.LEARNT
        return fates

    @property
    def recall(self) -> float:
        """The share of instances that are learnt; 1 of none.

        No more of them than this can be found, but for those that cells find by what they learnt
        of others.
        """
        return (self.fates == Fate.LEARNT).double().mean().item() if len(self.fates) else 1.0

    @cached_property
    def contested(self) -> Tensor:
        """(L,) how many cells several instances claim."""
        each_once = self.wins & self.is_contested
        return self.level[each_once].bincount(minlength=len(self.num_grids))

    def _number_of(self, chosen: Tensor) -> Tensor:
        """Return (L, T) how many of the claims that the (P,) booleans name each instance has."""
        levels, instances = self.in_range.shape
        group = self.level[chosen] * instances + self.instance[chosen]
        return group.bincount(minlength=levels * instances).view(levels, instances)


@torch.no_grad()
def grid_coverage(
    truth: GroundTruth,
    *,
    image_sizes: Sequence[tuple[int, int]] | Tensor,
    num_grids: Sequence[int],
    scale_ranges: Sequence[Sequence[float]],
    pos_scale: float,
) -> Coverage:
    """Return which cells a training has learn which instances, by the assigner itself.

    A training pads an image to the size of the largest one in its batch, over which the grids
    extend. So the same image may meet other cells in another batch.

    Args:
        truth: the instances of B images, by `locate_instances`; settings are quickly compared on
            the same ones.
        image_sizes: (B, 2) heights and widths that the images are padded to.
        num_grids: S of each level.
        scale_ranges: sqrt(box area) in pixels that each level takes, both ends included.
        pos_scale: the part of the box, around the centre, whose cells are claimed.
    """
    level, instance, cell = claim_cells(
        truth,
        image_size=torch.as_tensor(image_sizes).reshape(-1, 2),
        num_grids=num_grids,
        scale_ranges=scale_ranges,
        pos_scale=pos_scale,
    )
    image = truth.image[instance]
    # Those cells alone that are claimed: all of a data set's would be hundreds of millions.
    position = (image * len(num_grids) + level) * max(num_grids) ** 2 + cell
    claimed, of_claim, claims = torch.unique(position, return_inverse=True, return_counts=True)
    return Coverage(
        num_grids=tuple(num_grids),
        scales=box_scale(truth.bboxes),
        areas=truth.areas,
        in_range=in_range(truth.bboxes, scale_ranges),
        level=level,
        image=image,
        cell=cell,
        instance=instance,
        winner=latest_claims(of_claim, instance, len(claimed))[of_claim],
        is_contested=claims[of_claim] > 1,
    )
