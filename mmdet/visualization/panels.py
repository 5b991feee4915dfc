"""Pictures beside each other, with a title above each and lines of text below them all."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

_BACKGROUND = 24
_TEXT = (235, 235, 235)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SCALE = 0.6
_LINE = 26  # pixels from a line of text to the next
_GAP = 8
_MIN_WIDTH = 360  # of a panel, for its title


class Panel(NamedTuple):
    """A picture and what it shows.

    Attributes:
        title: a line of ASCII.
        image: (h, w, 3) uint8.
    """

    title: str
    image: np.ndarray


def size_within(size: tuple[int, int], side: int, *, enlarge: int = 1) -> tuple[int, int]:
    """Return the (height, width) at which the longer side of an image is `side` pixels at most.

    Args:
        size: of the image, (height, width).
        side: in pixels.
        enlarge: a smaller image is enlarged, a whole number of times and this many at most.

    Examples:
        >>> size_within((800, 1333), 640)
        (384, 640)
        >>> size_within((240, 320), 800, enlarge=4)
        (480, 640)
    """
    longest = max(size)
    factor = side / longest if longest > side else max(1, min(enlarge, side // longest))
    height, width = (max(1, round(each * factor)) for each in size)
    return height, width


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an (h, w) or (h, w, 3) image at another (height, width).

    Enlarged, pixels stay pixels; made smaller, each has its share.
    """
    smaller = size[0] < image.shape[0] or size[1] < image.shape[1]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_NEAREST
    return cv2.resize(image, size[::-1], interpolation=interpolation)


def sheet(panels: Sequence[Panel], *, columns: int, lines: Sequence[str] = ()) -> np.ndarray:
    """Return one picture of panels in rows.

    Args:
        panels: one or more, of any sizes.
        columns: so many stand in a row.
        lines: of ASCII, written below; those that are too long go on in the next line.
    """
    width = max(_MIN_WIDTH, *(panel.image.shape[1] for panel in panels)) + _GAP
    columns = min(columns, len(panels))
    rows = [panels[first : first + columns] for first in range(0, len(panels), columns)]
    heights = [max(panel.image.shape[0] for panel in row) + _LINE + _GAP for row in rows]
    below = [part for line in lines for part in _wrapped(line, columns * width - 2 * _GAP)]
    text_height = len(below) * _LINE + (_GAP if below else 0)
    shape = (sum(heights) + _GAP + text_height, columns * width + _GAP, 3)
    picture = np.full(shape, _BACKGROUND, np.uint8)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for index, panel in enumerate(row):
            left = index * width + _GAP
            _write(picture, panel.title, left, top + _LINE, room=width - _GAP)
            h, w = panel.image.shape[:2]
            picture[top + _LINE + _GAP :][:h, left : left + w] = panel.image
        top += height
    for index, line in enumerate(below, 1):
        _write(picture, line, _GAP, top + index * _LINE, room=shape[1] - 2 * _GAP)
    return picture


def _wrapped(line: str, room: int) -> list[str]:
    width_of_one = cv2.getTextSize('n', _FONT, _SCALE, 1)[0][0]
    return textwrap.wrap(line, max(10, room // width_of_one))


def _write(picture: np.ndarray, text: str, x: int, y: int, *, room: int) -> None:
    """Write a line on a baseline, smaller where it has too little room."""
    scale = _SCALE
    # The width is not quite in proportion to the scale.
    while scale > 0.2 and cv2.getTextSize(text, _FONT, scale, 1)[0][0] > room:
        scale *= 0.95
    cv2.putText(picture, text, (x, y), _FONT, scale, _TEXT, 1, cv2.LINE_AA)
