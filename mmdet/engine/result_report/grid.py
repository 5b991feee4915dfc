"""What the grid of a SOLO head lets be found at most, beside what was found."""

from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.config import Config

from mmdet.datasets import CocoDataset
from mmdet.datasets.coco_values import Identifier
from mmdet.engine.config import datasets_with_steps, is_a
from mmdet.engine.dataset_report.bins import labels_of, numbers_in
from mmdet.engine.dataset_report.grid import SIZES, cover, grid_figures, grid_of
from mmdet.engine.dataset_report.parts import Part, parts_of, read_part
from mmdet.registry import DATASETS

from .objects import Objects


def read_parts(cfg: Config) -> list[Part]:
    """Return the data sets of a test with their objects in the network's input.

    It has to be called in all processes: a data set that draws itself waits for all.

    Returns:
        None of them where there is no grid of SOLO, or a data set does not say where objects are.
    """
    datasets = [dataset for dataset, _ in datasets_with_steps(cfg.test_dataloader)]
    if grid_of(cfg) is None or not all(is_a(each, DATASETS, CocoDataset) for each in datasets):
        return []
    return [read_part(config) for config in parts_of(cfg, ('test',))]


def bounds(
    cfg: Config, parts: Sequence[Part], objects: Objects, classes: Sequence[str]
) -> dict | None:
    """Return the recall that the grid allows and the recall that was reached, by size and class.

    An object without a cell of its own can hardly be found. What the cells learn is a matter of the
    training; here they are asked what they would learn of the test's objects.

    Args:
        cfg: of the test.
        parts: of `read_parts`.
        objects: of the test.
        classes: names of the labels.

    Returns:
        None where there are no parts.
    """
    grid = grid_of(cfg)
    if grid is None or not parts:
        return None
    factors: dict[Identifier, float] = {}
    found: list[dict] = []
    for part in parts:
        found.append(grid_figures(part, grid, cover(part, grid)))
        sides = np.sqrt(part.factors.prod(1)).tolist()
        factors |= {item['img_id']: side for item, side in zip(part.items, sides, strict=True)}
    size = numbers_in(objects.sides(factors), SIZES)
    return dict(
        **{
            name: sum(each[name] for each in found)
            for name in ('objects', 'learnt', 'in_no_range', 'lost_to_others', 'empty_masks')
        },
        by_size=_rows(labels_of(SIZES), [each['by_size'] for each in found], size, objects.found),
        by_class=_rows(
            classes, [each['by_class'] for each in found], objects.labels, objects.found
        ),
    )


def _rows(
    names: Sequence[str], bounds: Sequence[Sequence[Mapping]], which: np.ndarray, found: np.ndarray
) -> list[dict]:
    number = len(names)
    measured = np.bincount(which, minlength=number).tolist()
    reached = np.bincount(which[found], minlength=number).tolist()
    rows = []
    for place, name in enumerate(names):
        of_all = [each[place] for each in bounds]
        objects, learnt = (sum(each[key] for each in of_all) for key in ('objects', 'learnt'))
        rows.append(
            dict(
                name=name,
                objects=objects,
                recall_bound=learnt / objects if objects else None,
                recall=reached[place] / measured[place] if measured[place] else None,
            )
        )
    return rows
