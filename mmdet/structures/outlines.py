"""Outlines of a mask as polygons, for formats that know nothing else.

Shape letters: n points of a polygon, (h, w) the image. Points are (x, y) in pixels, whose edges lie
at whole numbers, as in COCO's polygons.
"""

from collections.abc import Sequence

import cv2
import numpy as np

# OpenCV's outlines run through the centres of the outermost pixels, which would cost half a pixel
# all around. On an enlarged mask the same rule costs only an eighth.
_SCALE = 4


def trace(mask: np.ndarray, *, tolerance: float) -> list[list[np.ndarray]]:
    """Return the outlines of a mask's parts, each followed by those of the holes in it.

    Args:
        mask: (h, w) of 0 and 1, or boolean.
        tolerance: how far an outline may leave the pixels' edges to save points, in pixels.

    Returns:
        (n, 2) float32 polygons, n at least 3; an empty mask has none.

    Examples:
        >>> ((outline,),) = trace(np.ones((2, 3)), tolerance=0.5)
        >>> outline.round().astype(int).tolist()
        [[0, 0], [0, 2], [3, 2], [3, 0]]
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return []
    top, left = rows[0], columns[0]
    part = mask[top : rows[-1] + 1, left : columns[-1] + 1].astype(np.uint8)
    enlarged = part.repeat(_SCALE, 0).repeat(_SCALE, 1)
    contours, hierarchy = cv2.findContours(enlarged, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts: dict[int, list[np.ndarray]] = {
        index: [] for index, parent in enumerate(hierarchy[0, :, 3]) if parent < 0
    }
    # A part need not come before its holes.
    for index in sorted(range(len(contours)), key=lambda index: index not in parts):
        contour, parent = contours[index], hierarchy[0, index, 3]
        simple = cv2.approxPolyDP(contour, epsilon=tolerance * _SCALE, closed=True)
        points = (simple if len(simple) >= 3 else contour).reshape(-1, 2)
        outline = ((points + 0.5) / _SCALE + (left, top)).astype(np.float32)
        parts[index if parent < 0 else parent].append(outline)
    return list(parts.values())


def join(outlines: Sequence[np.ndarray]) -> np.ndarray:
    """Return one polygon for several, along lines there and back between their nearest points.

    The lines have no area. So a hole's outline cuts the hole out of that of the part around it, and
    parts that lie apart become one.

    Args:
        outlines: at least one, (n, 2) each.

    Examples:
        >>> left, right = [[0, 0], [0, 1], [1, 1]], [[2, 1], [3, 1], [3, 0]]
        >>> join([np.array(left), np.array(right)]).tolist()
        [[0, 0], [0, 1], [1, 1], [2, 1], [3, 1], [3, 0], [2, 1], [1, 1]]
    """
    joined, *rest = outlines
    # From left to right a line to the next one seldom meets another.
    for other in sorted(rest, key=lambda outline: outline[:, 0].min()):
        distances = np.linalg.norm(joined[:, None] - other, axis=2)
        leave, arrive = np.unravel_index(distances.argmin(), distances.shape)
        there = np.roll(other, -arrive, axis=0)
        joined = np.concatenate((joined[: leave + 1], there, there[:1], joined[leave:]))
    return joined
