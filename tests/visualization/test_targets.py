"""The picture of what a head learns, cell by cell."""

import numpy as np
import pytest

from mmdet.models.assigners import Coverage, grid_coverage, locate_instances
from mmdet.structures import DetDataSample
from mmdet.visualization import distinct_colors
from mmdet.visualization.draw import WHITE
from mmdet.visualization.panels import Panel
from mmdet.visualization.targets import draw_targets, masks_at, target_lines, target_panels
from tests.samples import rectangle, sample_of

RANGES = ((1, 24), (16, 48), (40, 64))
GRIDS = (8, 6, 4)
# Two that are alike at two levels, one alone, one too large, and one without a pixel.
BOXES = [(40, 30, 60, 50), (42, 32, 62, 52), (90, 60, 120, 90), (0, 0, 128, 96), (4, 70, 14, 80)]
NAMES = ['cup', 'bowl', 'dog', 'table', 'cat']


@pytest.fixture
def sample() -> DetDataSample:
    masks = [rectangle(96, 128, box) for box in BOXES]
    masks[4][:] = 0
    return sample_of(BOXES, masks=masks)


def coverage_of(sample: DetDataSample, pos_scale: float = 0.4) -> Coverage:
    return grid_coverage(
        locate_instances([sample.gt_instances]),
        image_sizes=[sample.img_shape],
        num_grids=GRIDS,
        scale_ranges=RANGES,
        pos_scale=pos_scale,
    )


def panels_of(sample: DetDataSample, found: Coverage, image: np.ndarray) -> list[Panel]:
    instances = sample.gt_instances
    boxes = instances.bboxes.numpy()
    return target_panels(image, instances.masks, NAMES, boxes, found, RANGES)


def cells_of(panel: np.ndarray, grid: int) -> dict[int, np.ndarray]:
    """Return the pixels of each cell, without those at its edges."""
    rows, columns = (np.arange(grid + 1) * side / grid for side in panel.shape[:2])
    return {
        row * grid + column: panel[
            round(rows[row]) + 3 : round(rows[row + 1]) - 2,
            round(columns[column]) + 3 : round(columns[column + 1]) - 2,
        ]
        for row in range(grid)
        for column in range(grid)
    }


def test_a_cell_has_the_colour_of_the_object_that_it_learns(sample):
    found = coverage_of(sample)
    image = np.full((96, 128, 3), 100, np.uint8)
    panels = panels_of(sample, found, image)
    colors = distinct_colors(len(NAMES))
    assert len(panels) == 4
    assert panels[0].image.shape == (4 * 96, 4 * 128, 3)
    assert (image == 100).all()
    for level, grid in enumerate(GRIDS):
        here = found.level == level
        claims = list(zip(*(x[here].tolist() for x in (found.cell, found.instance)), strict=True))
        for cell, pixels in cells_of(panels[level + 1].image, grid).items():
            rivals = [instance for claimed, instance in claims if claimed == cell]
            middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
            if rivals:
                assert (middle == colors[max(rivals)]).all()
            for index, color in enumerate(colors):
                share = (pixels == color).all(-1).mean()
                if index not in rivals:
                    assert share < 0.2  # an outline of a mask at most
                elif index == max(rivals):
                    assert share > 0.8
                else:
                    assert 0.03 < share < 0.2
    assert sum(found.contested) > 0


def test_a_contested_cell_has_a_white_frame(sample):
    found = coverage_of(sample)
    image = np.full((96, 128, 3), 100, np.uint8)
    panels = panels_of(sample, found, image)[1:]
    frames = [(panel.image == WHITE).all(-1) for panel in panels]
    for level, (grid, frame) in enumerate(zip(GRIDS, frames, strict=True)):
        contested = set(found.cell[(found.level == level) & found.is_contested].tolist())
        height, width = 4 * 96 / grid, 4 * 128 / grid
        cells = {(int(y // height), int(x // width)) for y, x in np.argwhere(frame)}
        assert {row * grid + column for row, column in cells} == contested
        assert len(contested) == found.contested[level]
    assert [('contested' in panel.title) for panel in panels] == [True, True, False]


def test_objects_without_a_cell_are_crossed_out_and_named(sample):
    # Of the first two, the later has the only cell.
    found = coverage_of(sample, pos_scale=0.0)
    assert target_lines(NAMES, found) == [
        '2 of 5 objects have a cell (40.0%); contested cells: 2 (white frame; a corner of a '
        "loser's colour); those without are crossed out",
        'no cell: 1 cup: later ones have its cells: 2 bowl',
        'no cell: 4 table: its size, sqrt(box area) = 110.9 pixels, is in no range',
        'no cell: 5 cat: its mask is empty',
    ]
    image = np.full((96, 128, 3), 100, np.uint8)
    overview = panels_of(sample, found, image)[0].image
    for index, (x1, y1, x2, y2) in enumerate(BOXES):
        y, x = 2 * (y1 + y2), 2 * (x1 + x2)
        ends = [overview[y + dy, x + dx] for dy in (-6, 6) for dx in (-6, 6)]
        is_crossed = all((each == WHITE).all() for each in ends)
        assert is_crossed == (index in (0, 3, 4))


def test_many_without_a_cell_are_counted(sample):
    crowd = sample_of([(40, 30, 60, 50)] * 40)
    lines = target_lines(['cup'] * 40, coverage_of(crowd))
    assert len(lines) == 22
    assert lines[-1] == 'no cell: 19 more'


def test_no_mask_vanishes_where_the_picture_is_smaller():
    """As those of one pixel would by the nearest pixel, or by their share of one."""
    boxes = [(x, 800, x + 1, 801) for x in range(0, 3200, 101)]
    masks = sample_of(boxes, shape=(1600, 3200)).gt_instances.masks
    small = masks_at(masks, (400, 800))
    assert small.areas.tolist() == [1] * len(boxes)
    assert small.get_bboxes()[:, :2].tolist() == [[box[0] // 4, 200] for box in boxes]


def test_an_image_without_objects_says_so():
    sample = sample_of([])
    found = coverage_of(sample)
    assert target_lines([], found) == ['no objects: each cell learns that there is nothing']
    image = np.full((96, 128, 3), 100, np.uint8)
    boxes, masks = sample.gt_instances.bboxes.numpy(), sample.gt_instances.masks
    picture = draw_targets(image, masks, [], boxes, found, RANGES)
    assert picture.ndim == 3
