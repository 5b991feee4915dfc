"""What labelme's JSON files hold; pure functions.

https://github.com/wkentaro/labelme: a list of shapes, in pixels. A polygon is one part of an
object, and parts with one `group_id` and label are one object; a mask is a bitmap in a box.
"""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

_VERSION = '5.5.0'  # the first series with masks is 5.4


def polygon_shapes(
    label: str,
    polygons: Sequence[np.ndarray],
    group_id: int | None,
    description: str = '',
) -> list[dict]:
    """Return the shapes of an object.

    Args:
        label: name of its class.
        polygons: (n, 2) in pixels, one a part.
        group_id: the same for all shapes of an object, and for no other's.
        description: free text.
    """
    return [
        _shape(label, polygon.tolist(), 'polygon', group_id, description) for polygon in polygons
    ]


def mask_shape(label: str, mask: np.ndarray) -> dict:
    """Return the shape of an object that no polygons are.

    Args:
        label: name of its class.
        mask: (h, w) uint8 of 0 and 1, not empty.

    Examples:
        >>> mask_shape('cat', np.eye(4, dtype=np.uint8))['points']
        [[0.0, 0.0], [3.0, 3.0]]
    """
    x, y, width, height = cv2.boundingRect(mask)
    inside = mask[y : y + height, x : x + width]
    # The box's second corner is the last pixel within it.
    points = [[float(x), float(y)], [float(x + width - 1), float(y + height - 1)]]
    return _shape(label, points, 'mask') | dict(mask=_png(inside))


def labelme_content(shapes: Sequence[dict], path: str, size: tuple[int, int]) -> dict:
    """Return the content of a file, ready for JSON.

    Args:
        shapes: as the functions above return them.
        path: of the picture, from the file's folder.
        size: (height, width) of the picture.
    """
    height, width = size
    return dict(
        version=_VERSION,
        flags={},
        shapes=list(shapes),
        imagePath=path,
        imageData=None,
        imageHeight=height,
        imageWidth=width,
    )


def with_picture(content: dict, image: np.ndarray) -> dict:
    """Return a file's content with the (h, w, 3) uint8 BGR picture itself in it."""
    return content | dict(imageData=_png(image))


def _shape(
    label: str,
    points: list[list[float]],
    kind: str,
    group_id: int | None = None,
    description: str = '',
) -> dict:
    return dict(
        label=label,
        points=points,
        group_id=group_id,
        description=description,
        shape_type=kind,
        flags={},
        mask=None,
    )


def _png(image: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode('.png', image)[1].tobytes()).decode()
