"""Colours for classes."""

import colorsys
from collections.abc import Sequence

import mmcv
import numpy as np

from mmdet.errors import UserError

from .dataset_colors import CITYSCAPES_COLORS, COCO_COLORS, voc_colors

Color = tuple[int, int, int]
"""Red, green and blue in [0, 255]."""

ColorChoice = str | Color | Sequence[Color] | None
"""A colour by name or value for all classes, a colour for each, or None: as the classes have."""

_OF_DATASETS = dict(coco=COCO_COLORS, citys=CITYSCAPES_COLORS)


def distinct_colors(number: int) -> list[Color]:
    """Return colours of which neighbours in the list are easy to tell apart.

    Examples:
        >>> distinct_colors(2)
        [(249, 6, 6), (90, 134, 242)]
    """
    # The golden ratio spreads hues so that any first few of them are far from each other.
    golden = 0.618033988749895
    colors = []
    for index in range(number):
        lightness, saturation = ((0.5, 0.95), (0.65, 0.85), (0.4, 0.8))[index % 3]
        color = colorsys.hls_to_rgb(index * golden % 1, lightness, saturation)
        red, green, blue = (round(255 * part) for part in color)
        colors.append((red, green, blue))
    return colors


def class_colors(choice: ColorChoice, number: int) -> list[Color]:
    """Return a colour for each of `number` classes.

    Args:
        choice: mmcv's name of a colour or a colour, for all classes; a list of colours; or None
            for distinct ones.
        number: of classes.

    Raises:
        UserError: there is no such colour, or fewer than classes.

    Examples:
        >>> class_colors('red', 2)
        [(255, 0, 0), (255, 0, 0)]
    """
    if choice is None:
        return distinct_colors(number)
    if isinstance(choice, str):
        names = [color.name for color in mmcv.Color]
        if choice not in names:
            raise UserError(f'there is no colour {choice!r}; known are {", ".join(names)}')
        return [tuple(mmcv.color_val(choice)[::-1])] * number
    colors = [choice] * number if isinstance(choice[0], int) else choice
    if len(colors) < number:
        raise UserError(f'{len(colors)} colours are too few for {number} classes')
    return [tuple(color) for color in colors[:number]]


def named_palette(name: ColorChoice, number: int) -> list[Color]:
    """Return the colours that `palette` asks for in mmdetection's inference.

    Args:
        name: `none` for distinct ones, `random`, a data set's (`coco`, `voc`, `citys`), or a
            choice of `class_colors`.
        number: of classes.

    Raises:
        UserError: as `class_colors`.
    """
    if name == 'none':
        return distinct_colors(number)
    if name == 'random':
        # Always the same, so that pictures of several runs compare.
        colors = np.random.RandomState(42).randint(0, 256, (number, 3)).tolist()
        return [(red, green, blue) for red, green, blue in colors]
    if name == 'voc':
        return voc_colors(number)
    return class_colors(_OF_DATASETS.get(name, name) if isinstance(name, str) else name, number)
