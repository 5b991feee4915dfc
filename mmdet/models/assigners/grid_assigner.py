"""Which cell of which grid learns which instance (SOLO, section 3.1 and 3.3.1).

Shape letters: B images, L levels, T instances in the batch, P claims,
G cells of one image over all levels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .ground_truth import GroundTruth


class GridTargets(NamedTuple):
    """The cells' labels, and each claim of an instance on a cell.

    Attributes:
        labels: (B, G) class indices, `num_classes` for the background; levels one after another,
            row by row.
        level: (P,) level of each claim; claims are sorted by level, then image, then instance.
        image: (P,) index of the image in the batch.
        cell: (P,) row * S + column in the level's S x S grid.
        instance: (P,) index of the instance in the batch.
        wins: (P,) whether the claim decided the cell's label: where several instances claim a
            cell, the latest annotation does. Exactly one claim wins each claimed cell.
    """

    labels: Tensor
    level: Tensor
    image: Tensor
    cell: Tensor
    instance: Tensor
    wins: Tensor


@torch.no_grad()
def assign_grid(
    truth: GroundTruth,
    *,
    num_images: int,
    image_size: tuple[int, int],
    num_grids: Sequence[int],
    scale_ranges: Sequence[Sequence[float]],
    pos_scale: float,
    num_classes: int,
) -> GridTargets:
    """Let every instance claim the cells around its centre of mass, all instances at once.

    Args:
        truth: the instances of the batch.
        num_images: B.
        image_size: (height, width) of the padded input, over which the grids extend.
        num_grids: S of each level.
        scale_ranges: sqrt(box area) in pixels that each level takes, both ends included.
        pos_scale: the part of the box, around the centre, whose cells are claimed.
        num_classes: label of the background.
    """
    device = truth.bboxes.device
    level, instance, cell = claim_cells(
        truth,
        image_size=image_size,
        num_grids=num_grids,
        scale_ranges=scale_ranges,
        pos_scale=pos_scale,
    )
    image = truth.image[instance]
    num_cells = torch.tensor(num_grids, device=device) ** 2
    position = image * num_cells.sum() + (num_cells.cumsum(0) - num_cells)[level] + cell
    total = sum(s * s for s in num_grids)
    owner = latest_claims(position, instance, num_images * total)
    # A cell without an owner has index -1, which is the background behind the last instance.
    labels = torch.cat((truth.labels, truth.labels.new_tensor([num_classes])))[owner]
    wins = owner[position] == instance
    return GridTargets(labels.view(num_images, total), level, image, cell, instance, wins)


def claim_cells(
    truth: GroundTruth,
    *,
    image_size: tuple[int, int] | Tensor,
    num_grids: Sequence[int],
    scale_ranges: Sequence[Sequence[float]],
    pos_scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cells around its centre that each instance claims, sorted by level and instance.

    Args:
        truth: the instances.
        image_size: (height, width) of the padded input; or (B, 2), of each image, where they are of
            batches of their own.
        num_grids: see `assign_grid`.
        scale_ranges: likewise.
        pos_scale: likewise.

    Returns:
        (P,) the level, the instance and the cell of each claim, as in `GridTargets`.
    """
    grids = torch.tensor(num_grids, device=truth.bboxes.device)
    taken = in_range(truth.bboxes, scale_ranges) & (truth.areas > 0)  # (L, T)
    is_same = not isinstance(image_size, Tensor)
    height, width = image_size if is_same else image_size[truth.image].unbind(1)
    reach = 0.5 * _box_size(truth.bboxes) * pos_scale
    rows, row_ok = _claimed(truth.centers[:, 0], reach[:, 0], height, grids)
    columns, column_ok = _claimed(truth.centers[:, 1], reach[:, 1], width, grids)
    claimed = taken[..., None, None] & row_ok[..., :, None] & column_ok[..., None, :]
    level, instance, i, j = claimed.nonzero(as_tuple=True)
    cell = rows[level, instance, i] * grids[level] + columns[level, instance, j]
    return level, instance, cell


def latest_claims(position: Tensor, instance: Tensor, number: int) -> Tensor:
    """Return (number,) which instance each cell learns, the last that claims it; -1 for none.

    Args:
        position: (P,) which of these cells each claim is on.
        instance: (P,) index of the instance that claims it.
        number: of cells.
    """
    owner = torch.full((number,), -1, device=position.device)
    return owner.scatter_reduce_(0, position, instance, 'amax')


def box_scale(bboxes: Tensor) -> Tensor:
    """Return the (T,) sizes that decide on the levels, sqrt(box area), of (T, 4) xyxy boxes.

    Examples:
        >>> box_scale(torch.tensor([[0.0, 0.0, 4.0, 9.0]])).tolist()
        [6.0]
    """
    return _box_size(bboxes).prod(1).sqrt()


def in_range(bboxes: Tensor, scale_ranges: Sequence[Sequence[float]]) -> Tensor:
    """Return (L, T) whether each level takes objects of the size of each of the (T, 4) boxes."""
    ranges = torch.tensor(scale_ranges, device=bboxes.device, dtype=bboxes.dtype)
    scale = box_scale(bboxes)
    return (ranges[:, :1] <= scale) & (scale <= ranges[:, 1:])


def _box_size(bboxes: Tensor) -> Tensor:
    """Return the (T, 2) heights and widths of (T, 4) boxes."""
    return (bboxes[:, 2:] - bboxes[:, :2]).flip(1)


class LevelClaims(NamedTuple):
    """Claims on one level's cells.

    Attributes:
        images: indices in the batch of those that have a claim here, ascending.
        cells: for each image of the batch, (P_i,) row * S + column, on the host.
        instances: (P,) indices in the batch of the instances that claim them, image after image, on
            the device.
    """

    images: tuple[int, ...]
    cells: tuple[Tensor, ...]
    instances: Tensor


def split_claims(
    targets: GridTargets, chosen: Tensor, *, num_levels: int, device: torch.device
) -> list[LevelClaims]:
    """Return some claims level by level, those of a level image by image.

    Args:
        targets: with P claims.
        chosen: (P',) ascending indices of claims.
        num_levels: L.
        device: of the instances that are returned.
    """
    num_images = len(targets.labels)
    # Claims are sorted by level and image: cut them into a piece for each.
    group = targets.level[chosen] * num_images + targets.image[chosen]
    sizes = group.bincount(minlength=num_levels * num_images).tolist()
    cells = targets.cell[chosen].split(sizes)
    instances = targets.instance[chosen].to(device, non_blocking=True).split(sizes)
    pieces = [slice(first, first + num_images) for first in range(0, len(sizes), num_images)]
    return [
        LevelClaims(
            tuple(image for image, size in enumerate(sizes[piece]) if size),
            cells[piece],
            torch.cat(instances[piece]),
        )
        for piece in pieces
    ]


def _claimed(
    center: Tensor, reach: Tensor, extent: int | Tensor, grids: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the three grid lines around each centre, and which of them the instance claims.

    Args:
        center: (T,) y or x in pixels.
        reach: (T,) pixels either side of the centre.
        extent: the height or the width of the input, or (T,), of that of each instance.
        grids: (L,) numbers of cells along it.

    Returns:
        (L, T, 3) rows or columns, and the same shape of booleans.
    """

    def line(position: Tensor) -> Tensor:
        # `position * grid / extent` would round the other way at some cells' edges.
        cell_size = (1 / grids.double()).to(position.dtype)[:, None]
        return torch.div(position / extent, cell_size, rounding_mode='trunc').long()

    nearest = line(center)
    lines = nearest[..., None] + torch.arange(-1, 2, device=center.device)
    first = line(center - reach).clamp(min=0)
    last = torch.minimum(line(center + reach), grids[:, None] - 1)
    return lines, (first[..., None] <= lines) & (lines <= last[..., None])
