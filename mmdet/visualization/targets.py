"""What a SOLO head is given to learn, as a picture: each level's grid, and whose each cell is.

Shape letters: N objects, L levels.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from mmdet.models.assigners import Coverage, Fate
from mmdet.structures import PackedMasks, RLEMasks

from .draw import WHITE, draw_instances
from .palette import Color, distinct_colors
from .panels import Panel, resized, sheet, size_within

_SIDE = 800  # of a panel, in pixels
_GRID = (120, 120, 120)
_MIN_CELL = 4  # pixels of a cell below which grid lines would be all there is
_AT_ONCE = 32  # bitmaps of the image's size
_LISTED = 20


def draw_targets(
    image: np.ndarray,
    masks: PackedMasks,
    names: Sequence[str],
    bboxes: np.ndarray,
    found: Coverage,
    scale_ranges: Sequence[Sequence[float]],
) -> np.ndarray:
    """Return one picture of `target_panels` and, below them, `target_lines`."""
    panels = target_panels(image, masks, names, bboxes, found, scale_ranges)
    return sheet(panels, columns=3, lines=target_lines(names, found))


def target_panels(
    image: np.ndarray,
    masks: PackedMasks,
    names: Sequence[str],
    bboxes: np.ndarray,
    found: Coverage,
    scale_ranges: Sequence[Sequence[float]],
) -> list[Panel]:
    """Draw an image with its objects, and each level's grid on it, into L + 1 panels.

    Each object has a number and a colour of its own, which its cells have, too. An object without
    a cell is crossed out. A cell that several claim has a white frame, and a
    corner of the colour of one that lost it.

    Args:
        image: (h, w, 3) uint8 RGB, padded as the network sees it.
        masks: N masks of that size.
        names: N names of classes.
        bboxes: (N, 4) xyxy in pixels.
        found: what becomes of the N objects, by `grid_coverage`.
        scale_ranges: the L ranges that it was found with.
    """
    size = size_within((image.shape[0], image.shape[1]), _SIDE, enlarge=4)
    small = resized(image, size)
    shown = masks_at(masks, size)
    colors = distinct_colors(len(names))
    overview = draw_instances(small, shown, _captions(names), colors)
    middles = (bboxes[:, :2] + bboxes[:, 2:]) / 2 * (size[1] / image.shape[1])
    for index in np.flatnonzero(found.fates != Fate.LEARNT):
        _cross_out(overview, middles[index])
    title = f'input of {image.shape[1]} x {image.shape[0]}: {len(names)} objects'
    panels = [Panel(title, overview)]

    gray = cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) // 2
    for level, (grid, (low, high)) in enumerate(zip(found.num_grids, scale_ranges, strict=True)):
        here = np.flatnonzero(found.in_range[level])
        own = [colors[index] for index in here]
        canvas = draw_instances(gray, shown[here], [''] * len(here), own, alpha=0.3)
        _draw_lines(canvas, grid)
        _draw_cells(canvas, grid, _claims_of(found, level), colors)
        contested = int(found.contested[level])
        title = (
            f'{grid} x {grid}, {low:g} to {high:g} pixels: {len(here)} objects, '
            f'{int(found.kept[level].sum())} cells'
        )
        panels.append(Panel(f'{title}, {contested} contested' if contested else title, canvas))
    return panels


def target_lines(names: Sequence[str], found: Coverage) -> list[str]:
    """Return how many of N objects have a cell, and a line for each that has none and why.

    Args:
        names: N names of classes.
        found: what becomes of the N objects, by `grid_coverage`.
    """
    if not names:
        return ['no objects: each cell learns that there is nothing']
    learnt = int((found.fates == Fate.LEARNT).sum())
    contested = int(found.contested.sum())
    lines = [
        f'{learnt} of {len(names)} objects have a cell ({found.recall:.1%}); contested cells: '
        f'{contested}'
        + (" (white frame; a corner of a loser's colour)" if contested else '')
        + ('; those without are crossed out' if learnt < len(names) else '')
    ]
    captions = _captions(names)
    without = np.flatnonzero(found.fates != Fate.LEARNT).tolist()
    lines += [f'no cell: {captions[index]}: {_why(index, captions, found)}' for index in without]
    if len(without) > _LISTED:
        lines[_LISTED + 1 :] = [f'no cell: {len(without) - _LISTED} more']
    return lines


def _captions(names: Sequence[str]) -> list[str]:
    return [f'{number} {name}' for number, name in enumerate(names, 1)]


def masks_at(masks: PackedMasks, size: tuple[int, int]) -> RLEMasks:
    """Return masks at another size; a pixel with any part of a mask belongs to it."""
    rles = []
    for start in range(0, len(masks), _AT_ONCE):
        for bitmap in masks[start : start + _AT_ONCE].to_ndarray():
            # Tiny objects are what the picture is for: none may vanish.
            seen = resized(bitmap.astype(np.float32), size) > 0
            rles.append(coco_mask.encode(np.asfortranarray(seen, np.uint8)))
    return RLEMasks(rles, *size)


def _cross_out(canvas: np.ndarray, middle: np.ndarray) -> None:
    x, y = (int(each) for each in middle.round())
    for color, width in (((0, 0, 0), 4), (WHITE, 2)):
        for slope in (-1, 1):
            cv2.line(canvas, (x - 8, y - 8 * slope), (x + 8, y + 8 * slope), color, width)


def _draw_lines(canvas: np.ndarray, grid: int) -> None:
    for axis, side in enumerate(canvas.shape[:2]):
        if side >= _MIN_CELL * grid:
            places = (np.arange(1, grid) * side / grid).round().astype(int)
            canvas[(slice(None),) * axis + (places,)] = _GRID


def _claims_of(found: Coverage, level: int) -> list[tuple[int, int, int, bool]]:
    """Return each claim at a level: cell, instance, the cell's winner, whether it is contested."""
    here = found.level == level
    columns = (found.cell, found.instance, found.winner, found.is_contested)
    return list(zip(*(column[here].tolist() for column in columns), strict=True))


def _draw_cells(
    canvas: np.ndarray,
    grid: int,
    claims: Sequence[tuple[int, int, int, bool]],
    colors: Sequence[Color],
) -> None:
    height, width = canvas.shape[:2]

    def box(cell: int) -> tuple[int, int, int, int]:
        row, column = divmod(cell, grid)
        x1, x2 = (round(each * width / grid) for each in (column, column + 1))
        y1, y2 = (round(each * height / grid) for each in (row, row + 1))
        return x1 + 1, y1 + 1, max(x1 + 1, x2 - 1), max(y1 + 1, y2 - 1)

    for cell, instance, winner, _ in claims:
        if instance == winner:
            x1, y1, x2, y2 = box(cell)
            cv2.rectangle(canvas, (x1, y1), (x2, y2), colors[winner], -1)
    for cell, instance, winner, is_contested in claims:
        x1, y1, x2, y2 = box(cell)
        if instance != winner:
            # Of the cell's middle the winner's colour is left.
            leg = max(1, (min(x2 - x1, y2 - y1) + 1) // 2)
            corner = np.array([(x2 - leg, y1), (x2, y1), (x2, y1 + leg)])
            cv2.fillPoly(canvas, [corner], colors[instance])
        if is_contested:
            cv2.rectangle(canvas, (x1, y1), (x2, y2), WHITE, 1)


def _why(index: int, captions: Sequence[str], found: Coverage) -> str:
    fate = found.fates[index]
    if fate == Fate.EMPTY:
        return 'its mask is empty'
    if fate == Fate.NO_RANGE:
        return f'its size, sqrt(box area) = {found.scales[index]:.1f} pixels, is in no range'
    winners = found.winner[found.instance == index].unique().tolist()
    return f'later ones have its cells: {", ".join(captions[winner] for winner in winners)}'
