"""What the grid of a SOLO head can learn of a part of the data, in figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import Config

from mmdet.models import DetDataPreprocessor
from mmdet.models.assigners import Coverage, Fate, grid_coverage
from mmdet.models.heads.base_solo_head import BaseSOLOHead
from mmdet.registry import MODELS

from .bins import labels_of, numbers_in
from .parts import Part

SIZES = (16, 32, 64, 128, 256, 512)
"""Between which sqrt(box area), in pixels of the input, objects are counted apart."""


@dataclass
class Grid:
    """The settings of a head, and what images are padded to.

    Attributes:
        num_grids: S of each level.
        scale_ranges: sqrt(box area) in pixels that each level takes, both ends included.
        pos_scale: the part of the box whose cells are claimed.
        preprocessor: pads the images.
    """

    num_grids: tuple[int, ...]
    scale_ranges: tuple[tuple[float, float], ...]
    pos_scale: float
    preprocessor: DetDataPreprocessor

    def padded(self, shapes: np.ndarray) -> torch.Tensor:
        """Return (B, 2) heights and widths of (B, 2) images, each padded as a batch of its own."""
        sizes = [self.preprocessor.padded_size([(h, w)]) for h, w in shapes.tolist()]
        return torch.tensor(sizes).reshape(-1, 2)


def grid_of(cfg: Config) -> Grid | None:
    """Return what a config's model assigns by; None if it is no model of this family."""
    model = cfg.get('model') or {}
    node = model.get('mask_head')
    if not isinstance(node, Mapping):
        return None
    with torch.device('meta'):  # its settings are wanted, not its weights
        head = MODELS.build(dict(node))
        preprocessor = MODELS.build(
            model.get('data_preprocessor') or dict(type='DetDataPreprocessor')
        )
    if not isinstance(head, BaseSOLOHead) or not isinstance(preprocessor, DetDataPreprocessor):
        return None
    return Grid(
        tuple(head.num_grids),
        tuple((float(low), float(high)) for low, high in head.scale_ranges),
        head.pos_scale,
        preprocessor,
    )


def cover(part: Part, grid: Grid) -> Coverage:
    """Return which objects of a part the grid's cells learn."""
    return grid_coverage(
        part.truth,
        image_sizes=grid.padded(part.shapes),
        num_grids=grid.num_grids,
        scale_ranges=grid.scale_ranges,
        pos_scale=grid.pos_scale,
    )


def grid_figures(part: Part, grid: Grid, coverage: Coverage) -> dict:
    """Return the figures of the report."""
    fates = coverage.fates.numpy()
    learnt = fates == Fate.LEARNT
    cells = coverage.level[coverage.wins].bincount(minlength=len(grid.num_grids)).tolist()
    scales = coverage.scales.numpy()
    labels = part.truth.labels.numpy()
    return dict(
        pos_scale=grid.pos_scale,
        levels=[
            dict(
                num_grid=num_grid,
                scale_range=list(scale_range),
                objects_in_range=int((in_range & (fates != Fate.EMPTY)).sum()),
                objects_learnt=int((kept > 0).sum()),
                claimed_cells=claimed,
                contested_cells=contested,
            )
            for num_grid, scale_range, in_range, kept, claimed, contested in zip(
                grid.num_grids,
                grid.scale_ranges,
                coverage.in_range.numpy(),
                coverage.kept.numpy(),
                cells,
                coverage.contested.tolist(),
                strict=True,
            )
        ],
        objects=len(fates),
        learnt=int(learnt.sum()),
        in_no_range=int((fates == Fate.NO_RANGE).sum()),
        too_small_for_all=int(((fates == Fate.NO_RANGE) & (scales < _lowest(grid))).sum()),
        lost_to_others=int((fates == Fate.LOST).sum()),
        empty_masks=int((fates == Fate.EMPTY).sum()),
        recall_bound=coverage.recall,
        by_size=_shares(labels_of(SIZES), numbers_in(scales, SIZES), learnt),
        by_class=_shares(part.classes, labels, learnt),
    )


def worst_images(part: Part, coverage: Coverage, number: int) -> list[tuple[int, np.ndarray]]:
    """Return the images with the most objects that no cell learns, and these objects.

    Returns:
        At most `number` of the index of an image, and the indices among the T objects.
    """
    unlearnt = np.flatnonzero(coverage.fates.numpy() != Fate.LEARNT)
    images = part.truth.image.numpy()[unlearnt]
    counts = np.bincount(images, minlength=len(part.items))
    worst = np.argsort(-counts, kind='stable')[:number]
    return [(int(index), unlearnt[images == index]) for index in worst if counts[index]]


def _lowest(grid: Grid) -> float:
    return min(low for low, _ in grid.scale_ranges)


def _shares(names: Sequence[str], which: np.ndarray, learnt: np.ndarray) -> list[dict]:
    number = len(names)
    total = np.bincount(which, minlength=number).tolist()
    of_these = np.bincount(which[learnt], minlength=number).tolist()
    return [
        dict(
            name=name,
            objects=objects,
            learnt=good,
            recall_bound=good / objects if objects else None,
        )
        for name, objects, good in zip(names, total, of_these, strict=True)
    ]
