"""The line that Ultralytics' YOLO format has for an object."""

import numpy as np


def yolo_line(label: int, polygon: np.ndarray, size: tuple[int, int], *, digits: int = 6) -> str:
    """Return `class x1 y1 x2 y2 ...`, in shares of the picture's width and height.

    Args:
        label: class index.
        polygon: (n, 2) in pixels.
        size: (height, width) of the picture.
        digits: that are written of a number; six are Ultralytics', 17 are all that there are.

    Examples:
        >>> yolo_line(3, np.array([[0, 0], [20, 0], [20, 5]]), (10, 30))
        '3 0 0 0.666667 0 0.666667 0.5'
    """
    height, width = size
    shares = (polygon / (width, height)).ravel()
    return ' '.join([str(int(label)), *(f'{share:.{digits}g}' for share in shares)])
