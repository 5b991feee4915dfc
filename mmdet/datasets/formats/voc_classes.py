"""The classes of a data set in VOC's segmentation format, and their colours."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmdet.datasets.text_file import read_text
from mmdet.errors import UserError

VOC_CLASSES = (
    *('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow'),
    *('diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa'),
    *('train', 'tvmonitor'),
)
"""VOC's 20 classes, in the order of their numbers from 1."""

BACKGROUND, VOID = 0, 255
_NOT_CLASSES = ('__ignore__', '_background_', 'background')
Colour = tuple[int, int, int]


class Classes(NamedTuple):
    """The classes of a data set.

    Attributes:
        names: in the order of their numbers, from 1.
        colours: the number of each colour; that of the void is `VOID`.
    """

    names: tuple[str, ...]
    colours: dict[Colour, int]


def read_classes(root: Path) -> Classes:
    """Return the classes that a data set's folder names, or VOC's.

    Raises:
        UserError: a `labelmap.txt` or `class_names.txt` is none.
    """
    if (root / 'labelmap.txt').is_file():
        return _read_label_map_list(str(root / 'labelmap.txt'))
    names: Sequence[str] = VOC_CLASSES
    if (root / 'class_names.txt').is_file():
        lines = [line.strip() for line in read_text(str(root / 'class_names.txt')).split('\n')]
        names = [line for line in lines if line and line not in _NOT_CLASSES]
        if not names:
            raise UserError(f'{root / "class_names.txt"} names no class')
    colours = {voc_colour(number): number for number in (*range(len(names) + 1), VOID)}
    return Classes(tuple(names), colours)


def voc_colour(number: int) -> Colour:
    """Return the colour that VOC's palette has for a number.

    Examples:
        >>> voc_colour(1), voc_colour(255)
        ((128, 0, 0), (224, 224, 192))
    """
    red = green = blue = 0
    for place in range(8):
        bits = number >> 3 * place
        red |= (bits & 1) << 7 - place
        green |= (bits >> 1 & 1) << 7 - place
        blue |= (bits >> 2 & 1) << 7 - place
    return red, green, blue


def _read_label_map_list(path: str) -> Classes:
    """Read Datumaro's `name:red,green,blue:parts:actions`."""
    names: list[str] = []
    colours = {voc_colour(VOID): VOID}
    for number, line in enumerate(read_text(path).split('\n'), start=1):
        if not line.strip() or line.startswith('#'):
            continue
        found = re.fullmatch(r'([^:]+)(?::(?:(\d+),(\d+),(\d+))?(?::.*)?)?', line.strip())
        if found is None or any(int(part or 0) > 255 for part in found.groups()[1:]):
            raise UserError(
                f'{path}, line {number}: {line!r} is not name:red,green,blue:parts:actions'
            )
        name, *parts = found.groups()
        is_class = name.lower() not in _NOT_CLASSES
        names += [name] * is_class
        value = len(names) if is_class else BACKGROUND
        red, green, blue = (int(part) for part in parts) if parts[0] else voc_colour(value)
        colours[red, green, blue] = value
    if not names:
        raise UserError(f'{path} names no class')
    return Classes(tuple(names), {(0, 0, 0): BACKGROUND, **colours})
