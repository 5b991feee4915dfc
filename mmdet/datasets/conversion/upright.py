"""Annotations of a photo as its camera stored it, for the photo as viewers show it.

A camera may store a photo lying, and write beside it (EXIF orientation) how to turn it. Where its
annotations are for the stored one, a COCO file says so by the size; see `image_file.py`. Formats
that take the size from the image itself have no such way: there, annotations are for what viewers
show. So they are turned, and the image file stays as it is.
"""

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from mmdet.structures.segmentation import Segmentation, decode_segmentation, json_rle

_ORIENTATION = 0x0112


def orientation(path: str) -> int:
    """Return the EXIF orientation of an image: 1 to 8, of which 5 to 8 lie; 1 without any."""
    with Image.open(path) as image:
        return image.getexif().get(_ORIENTATION, 1)


def turned(segmentation: Segmentation, how: int, height: int, width: int) -> Segmentation:
    """Return a segmentation as it lies when its image is shown.

    Args:
        segmentation: COCO's, of the stored image.
        how: EXIF orientation, one that lies: 5 to 8.
        height: of the stored image in pixels.
        width: of the stored image in pixels.

    Examples:
        >>> turned([[1, 0, 4, 0, 4, 2]], 6, height=3, width=4)
        [[3.0, 1.0, 3.0, 4.0, 1.0, 4.0]]
    """
    if not isinstance(segmentation, list):
        mask = decode_segmentation(segmentation, height, width).T
        mask = mask[:, ::-1] if how in (6, 7) else mask
        mask = mask[::-1] if how in (7, 8) else mask
        return json_rle(coco_mask.encode(np.asfortranarray(mask)))
    parts = []
    for part in segmentation:
        points = np.array(part, float).reshape(-1, 2)[:, ::-1]
        if how in (6, 7):
            points = (height, 0) + points * (-1, 1)
        if how in (7, 8):
            points = (0, width) + points * (1, -1)
        parts.append(points.ravel().tolist())
    return parts


def turned_box(box: list[float], how: int, height: int, width: int) -> list[float]:
    """Return a box (x, y, width, height) as it lies when its image is shown; see `turned`."""
    x, y, box_width, box_height = box
    ((x1, y1, x2, y2),) = turned([[x, y, x + box_width, y + box_height]], how, height, width)
    return [min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)]
