"""From a config to all that the report says: figures as JSON holds them, and what it shows."""

from dataclasses import dataclass, field

import numpy as np
from mmengine.config import Config

from mmdet.structures.coded_masks import CodedMasks

from .amiss import what_is_amiss
from .grid import cover, grid_figures, grid_of, worst_images
from .numbers import figures
from .parts import Part, parts_of, read_part
from .pictures import Pictures, look_at_files, take_pictures, twins_between

MADE_BY = 'mmdet-solo report'
"""Stands in each file of figures, by which it is told from other people's."""
_WORST = 6  # images of each part that are shown


@dataclass
class Example:
    """An image to show, with some of its objects.

    Attributes:
        path: of the image.
        masks: of the objects to mark, as large as the image or in its shape.
    """

    path: str
    masks: CodedMasks


@dataclass
class Report:
    """What the page is made of.

    Attributes:
        figures: what `--json` writes.
        worst: by the name of each part, the images with the most objects that no cell learns.
        shows_images: the files were looked at, and can be shown.
    """

    figures: dict
    worst: dict[str, list[Example]] = field(default_factory=dict)
    shows_images: bool = True


def collect(cfg: Config, *, source: str, looks_at_images: bool = True) -> Report:
    """Read the data sets of a config, one after the other.

    Args:
        cfg: a checked config.
        source: what to call it.
        looks_at_images: look whether the files can be used, and for those in two parts.

    Raises:
        UserError: there is no data, or it cannot be read.
    """
    grid = grid_of(cfg)
    parts: list[dict] = []
    pictures: list[Pictures] = []
    report = Report({}, shows_images=looks_at_images)
    for config in parts_of(cfg):
        part = read_part(config)
        found = figures(part)
        found['grid'] = found['files'] = None
        if grid is not None:
            coverage = cover(part, grid)
            worst = worst_images(part, coverage, _WORST)
            found['grid'] = grid_figures(part, grid, coverage)
            found['grid']['worst_images'] = [
                dict(
                    image=part.items[image]['img_path'],
                    objects=len(part.objects_of(image)),
                    unlearnt=len(which),
                )
                for image, which in worst
            ]
            report.worst[part.name] = [_example(part, image, which) for image, which in worst]
        if looks_at_images:
            found['files'] = look_at_files(part)
            if found['files'] is not None:
                pictures.append(take_pictures(part))
        parts.append(found)
    twins = twins_between(pictures)
    report.figures = dict(
        made_by=MADE_BY,
        config=source,
        looked_at_images=looks_at_images,
        amiss=[each._asdict() for each in what_is_amiss(parts, twins)],
        parts=parts,
        twins=twins,
    )
    return report


def _example(part: Part, image: int, which: np.ndarray) -> Example:
    """Return an image, and the masks of some of the T objects, which are in it."""
    masks = part.delivery(part.items[image]).instances.masks[which - part.objects_of(image)[0]]
    height, width = np.round(part.sizes[image] * part.factors[image, ::-1]).astype(int).tolist()
    inside = 0, 0, min(width, masks.width), min(height, masks.height)
    return Example(part.items[image]['img_path'], masks.crop(inside))
