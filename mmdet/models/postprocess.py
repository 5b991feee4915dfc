"""From category scores and drawn masks to instances: pure functions, one image at a time.

Memory is bounded whatever the scores are: masks are drawn in chunks of cells, and only those of
the best `nms_pre` candidates stay, as booleans. The result is the one that drawing every mask at
once gives.

Shape letters: C classes, S cells along a grid's side, K candidates, h and w a quarter of the
padded input's height and width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet.errors import UserError
from mmdet.ops import masks_to_rle, matrix_nms

# Mask pixels drawn at one time; 2**22 of them are 16 MB in float32. For more than 32 MB glibc asks
# the system for fresh pages each time: to decode 500 candidates took 0.38 s of CPU time, and 0.47
# with 2**24. On a GPU nothing was measured; there each time is a wait for the device, and 64 MB are
# little.
_PIXELS_AT_ONCE = 2**22
_PIXELS_AT_ONCE_ON_DEVICE = 2**24

DrawMasks = Callable[[int, Tensor], Tensor]
"""(level, (P,) cells, on the host) -> (P, h, w) probabilities."""


@dataclass(frozen=True)
class DecodeConfig:
    """The `test_cfg` of a model, with mmdetection's names.

    Attributes:
        nms_pre: candidates that take part in Matrix NMS, best first; -1 or 0 for all.
        score_thr: a category score must be above it.
        mask_thr: a pixel's probability must be above it.
        filter_thr: a decayed score must reach it.
        kernel: of Matrix NMS, `gaussian` or `linear`.
        sigma: of the gaussian kernel.
        max_per_img: instances that are kept, best first; -1 or 0 for all.

    Raises:
        UserError: a value is of another type, or out of its range.
    """

    # For the check of configs: what to do without what mmdetection's detectors of boxes have
    instead: ClassVar = dict(nms='masks have Matrix NMS, of the settings beside it; leave nms out')

    nms_pre: int = 500
    score_thr: float = 0.1
    mask_thr: float = 0.5
    filter_thr: float = 0.05
    kernel: str = 'gaussian'
    sigma: float = 2.0
    max_per_img: int = 100

    def __post_init__(self) -> None:
        for name in ('nms_pre', 'max_per_img'):
            value = getattr(self, name)
            if type(value) is not int or value < -1:
                raise UserError(
                    f'test_cfg: {name}={value!r} is no whole number from 1 on, and not -1 for all'
                )
        for name in ('score_thr', 'mask_thr', 'filter_thr'):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= 1:
                raise UserError(f'test_cfg: {name}={value!r} is no number between 0 and 1')
        if self.kernel not in ('gaussian', 'linear'):
            raise UserError(
                f"test_cfg: Matrix NMS has no kernel={self.kernel!r}, only 'gaussian' and 'linear'"
            )
        if not _is_number(self.sigma) or not 0 < self.sigma < inf:
            raise UserError(f'test_cfg: sigma={self.sigma!r} is no number above 0')


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass
class Candidates:
    """Cells and categories that may become instances, best first.

    Attributes:
        scores: (K,) category score times mean probability inside the mask.
        labels: (K,) class indices.
        levels: (K,) pyramid levels.
        cells: (K,) row * S + column in the level's grid.
        masks: (K, h, w) boolean.
    """

    scores: Tensor
    labels: Tensor
    levels: Tensor
    cells: Tensor
    masks: Tensor


def decode(
    scores: Sequence[Tensor],
    draw: DrawMasks,
    *,
    strides: Sequence[float],
    mask_size: tuple[int, int],
    img_shape: tuple[int, int],
    ori_shape: tuple[int, int],
    cfg: DecodeConfig,
) -> InstanceData:
    """Return an image's instances: `scores`, `labels` and `masks` (`RLEMasks`), best first.

    Args:
        scores: (C, S, S) category scores in [0, 1] of each level.
        draw: gives the probabilities of the masks of some cells of a level.
        strides: of each level; a mask must have more pixels than its level's stride.
        mask_size: (h, w).
        img_shape: (height, width) of the image in the padded input.
        ori_shape: (height, width) of the original image, which the masks get.
        cfg: thresholds and limits.
    """
    found = find_candidates(scores, draw, strides=strides, mask_size=mask_size, cfg=cfg)
    decayed = matrix_nms(
        found.masks, found.labels, found.scores, kernel=cfg.kernel, sigma=cfg.sigma
    )
    # Which are kept is decided on the host, which has to know how many of which level.
    told = torch.stack((decayed.double(), found.levels.double(), found.cells.double())).cpu()
    final, levels, cells = told[0], told[1], told[2].long()
    order = final.argsort(descending=True, stable=True)
    order = order[final[order] >= cfg.filter_thr]
    order = order[: cfg.max_per_img] if cfg.max_per_img > 0 else order
    kept = order.to(decayed.device, non_blocking=True)
    # Drawing a few masks again costs less than keeping the probabilities of all candidates.
    probabilities = decayed.new_empty(len(kept), *mask_size)
    for level in range(len(scores)):
        here = (levels[order] == level).nonzero()[:, 0]
        if len(here):
            drawn = draw(level, cells[order[here]]).to(probabilities.dtype)
            probabilities[here.to(kept.device, non_blocking=True)] = drawn
    masks = masks_to_rle(
        probabilities, img_shape=img_shape, ori_shape=ori_shape, threshold=cfg.mask_thr
    )
    return InstanceData(scores=decayed[kept], labels=found.labels[kept], masks=masks)


def find_candidates(
    scores: Sequence[Tensor],
    draw: DrawMasks,
    *,
    strides: Sequence[float],
    mask_size: tuple[int, int],
    cfg: DecodeConfig,
) -> Candidates:
    """Return the best `nms_pre` candidates of all levels; see `decode` for the arguments."""
    kept = Candidates(
        scores=scores[0].new_zeros(0, dtype=torch.float32),
        labels=scores[0].new_zeros(0, dtype=torch.long),
        levels=scores[0].new_zeros(0, dtype=torch.long),
        cells=scores[0].new_zeros(0, dtype=torch.long),
        masks=scores[0].new_zeros(0, *mask_size, dtype=torch.bool),
    )
    on_host = scores[0].device.type == 'cpu'
    pixels = _PIXELS_AT_ONCE if on_host else _PIXELS_AT_ONCE_ON_DEVICE
    chunk = max(1, pixels // (mask_size[0] * mask_size[1]))
    by_cell = [point_nms(each.float()).flatten(1).T for each in scores]  # (S * S, C) for each level
    # On the host, which has to know how many there are: it asks the device once for all levels.
    above = (torch.cat(by_cell) > cfg.score_thr).cpu().split([len(each) for each in by_cell])
    for level, level_above in enumerate(above):
        scoring = level_above.any(1).nonzero()[:, 0]
        # Of a level where none scores, nothing is asked: its mask branch need not run.
        for cells in scoring.split(chunk) if len(scoring) else ():
            slot, label = level_above[cells].nonzero(as_tuple=True)
            masks, areas, sureness = maskness(draw(level, cells), cfg.mask_thr)
            cells, slot, label = _together_on(scores[0].device, cells, slot, label)
            is_large = areas > strides[level]
            kept = _merge(
                kept,
                scores=torch.where(
                    is_large[slot], by_cell[level][cells[slot], label] * sureness[slot], -1.0
                ),
                labels=label,
                level=level,
                cells=cells[slot],
                masks=masks,
                slot=slot,
                limit=cfg.nms_pre,
            )
    return kept


def _together_on(device: torch.device, *indices: Tensor) -> tuple[Tensor, ...]:
    """Move indices from the host, without a wait for the device."""
    moved = torch.cat(indices).to(device, non_blocking=True)
    return moved.split([len(each) for each in indices])


def _merge(
    kept: Candidates,
    *,
    scores: Tensor,
    labels: Tensor,
    level: int,
    cells: Tensor,
    masks: Tensor,
    slot: Tensor,
    limit: int,
) -> Candidates:
    """Return the best `limit` of the kept and the new candidates; a score below 0 is none.

    A stable sort of (kept, new) breaks ties by the order of arrival, as one sort of all would.
    A cell may score in many classes, so its mask, `masks[slot]`, is copied for survivors only.
    """
    scores = torch.cat((kept.scores, scores))
    # On the host, once for all: where which mask comes from decides how much is copied.
    found = scores.cpu()
    order = found.argsort(descending=True, stable=True)
    order = order[:limit] if limit > 0 else order
    order = order[found[order] >= 0]
    is_old = order < len(kept.scores)
    to_old, to_new = is_old.nonzero()[:, 0], (~is_old).nonzero()[:, 0]
    order, to_old, to_new, from_old, from_new = _together_on(
        scores.device, order, to_old, to_new, order[is_old], order[~is_old] - len(kept.scores)
    )
    merged_masks = masks.new_empty(len(order), *masks.shape[1:])
    merged_masks[to_old] = kept.masks[from_old]
    merged_masks[to_new] = masks[slot[from_new]]
    return Candidates(
        scores=scores[order],
        labels=torch.cat((kept.labels, labels))[order],
        levels=torch.cat((kept.levels, torch.full_like(cells, level)))[order],
        cells=torch.cat((kept.cells, cells))[order],
        masks=merged_masks,
    )


def point_nms(scores: Tensor) -> Tensor:
    """Zero each of (C, S, S) scores in [0, 1] that is not the highest of its 2 x 2 window.

    The window holds the cell and its neighbours above and to the left.
    """
    highest = F.max_pool2d(scores, 2, stride=1, padding=1)[:, :-1, :-1]
    return scores * (highest == scores)


def maskness(probabilities: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Binarise masks and say how sure they are of themselves.

    Args:
        probabilities: (N, h, w) in [0, 1].
        threshold: a pixel above it belongs to the mask.

    Returns:
        (N, h, w) boolean masks, their (N,) areas in pixels, and the (N,) mean probability inside
        them, 0 for an empty mask.
    """
    masks = probabilities > threshold
    # int32 and `threshold`, since long sums and products of two types take a CPU twice as long.
    areas = masks.sum((1, 2), dtype=torch.int32)
    total = F.threshold(probabilities, threshold, 0).sum((1, 2), dtype=torch.float32)
    return masks, areas, total / areas.clamp(min=1)
