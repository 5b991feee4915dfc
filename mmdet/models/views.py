"""Several views of one image, in one result: pure functions.

A view is the image mirrored, or at another scale, as the network saw it. A grid's cell means the
same place of the image in all of them once `unflipped` has mirrored the grid back, so a cell's
scores and its mask are averaged over the views before anything is decoded.

That is better than to let the cells of all views compete in one Matrix NMS, where views cannot
agree: with `solo_r18_fpn_shapes-cpu` on the first 200 validation images of shapes a mask AP of
0.224 became

| views | by cell | competing |
| --- | --- | --- |
| mirrored horizontally, too | 0.235 | 0.225 |
| in all four ways | 0.246 | 0.224 |
| scales of 1 and 1.25 | 0.241 | 0.222 |
| scales of 0.8, 1 and 1.25 | 0.217 | 0.214 |
| scales of 0.7, 1 and 1.5 | 0.195 | 0.200 |
| scales of 1 and 1.25, mirrored | 0.248 | 0.219 |

An object's level depends on its size in pixels: scales that lie far apart find it at different
levels, and their mean is neither's.

Shape letters: C classes, S cells along a grid's side, P chosen cells, h and w a quarter of the
padded input's height and width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .postprocess import DrawMasks

# The axes that a direction mirrors: of (C, S, S) scores, of (P, h, w) masks.
_AXES = {'': (), 'horizontal': (2,), 'vertical': (1,), 'diagonal': (1, 2)}


@dataclass(frozen=True)
class View:
    """What a head says of one image.

    Attributes:
        scores: (C, S, S) category scores in [0, 1] of each level.
        draw: (level, (P,) cells, on the host) -> (P, h, w) probabilities of their masks.
        strides: of each level; a mask must have more pixels than its level's stride.
        mask_size: (h, w).
        img_shape: (height, width) of the image in the padded input.
    """

    scores: Sequence[Tensor]
    draw: DrawMasks
    strides: Sequence[float]
    mask_size: tuple[int, int]
    img_shape: tuple[int, int]


def unflipped(view: View, direction: str) -> View:
    """Return a view of the image from one of the whole padded input mirrored.

    Args:
        view: of an input in which image and padding are mirrored together, so that a cell lies
            where its mirror image does in the other.
        direction: `horizontal`, `vertical`, `diagonal` (both), or empty for a view that is not
            mirrored.
    """
    axes = _AXES[direction]
    if not axes:
        return view

    def draw(level: int, cells: Tensor) -> Tensor:
        side = view.scores[level].shape[-1]
        return view.draw(level, mirrored_cells(cells, side, direction)).flip(axes)

    return replace(view, scores=[scores.flip(axes) for scores in view.scores], draw=draw)


def mirrored_cells(cells: Tensor, side: int, direction: str) -> Tensor:
    """Return where cells, row * side + column, lie in the mirrored grid.

    Examples:
        >>> mirrored_cells(torch.tensor([0, 5]), 3, 'horizontal').tolist()
        [2, 3]
    """
    axes = _AXES[direction]
    rows, columns = cells // side, cells % side
    rows = side - 1 - rows if 1 in axes else rows
    columns = side - 1 - columns if 2 in axes else columns
    return rows * side + columns


def resized(view: View, *, mask_size: tuple[int, int], img_shape: tuple[int, int]) -> View:
    """Return a view whose masks lie as those of another scale's view do.

    Args:
        view: of the image at its own scale.
        mask_size: of the other.
        img_shape: of the other.
    """
    if (view.mask_size, view.img_shape) == (mask_size, img_shape):
        return view
    # By how much the view's padded input exceeds its image, relative to the other's.
    y, x = (mask_size[i] / img_shape[i] * view.img_shape[i] / view.mask_size[i] for i in (0, 1))

    def draw(level: int, cells: Tensor) -> Tensor:
        drawn = view.draw(level, cells)
        where = F.affine_grid(
            drawn.new_tensor([[[x, 0, x - 1], [0, y, y - 1]]]),
            [1, 1, *mask_size],
            align_corners=False,
        )
        # As channels of one image, that there may be none.
        return F.grid_sample(drawn[None], where, padding_mode='border', align_corners=False)[0]

    area = img_shape[0] * img_shape[1] / (view.img_shape[0] * view.img_shape[1])
    strides = [stride * area for stride in view.strides]
    return replace(view, draw=draw, strides=strides, mask_size=mask_size, img_shape=img_shape)


def merged(views: Sequence[View]) -> View:
    """Return the mean of some views that are not mirrored: of a cell's scores, and of its masks.

    The masks are those of the largest view, to whose frame the others' are resized.
    """
    largest = max(views, key=lambda view: view.img_shape[0] * view.img_shape[1])
    alike = [
        resized(view, mask_size=largest.mask_size, img_shape=largest.img_shape) for view in views
    ]

    def draw(level: int, cells: Tensor) -> Tensor:
        return torch.stack([view.draw(level, cells) for view in alike]).mean(0)

    levels = zip(*(view.scores for view in alike), strict=True)
    return replace(largest, scores=[torch.stack(level).mean(0) for level in levels], draw=draw)
