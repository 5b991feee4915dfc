"""Small pictures of image files."""

import cv2
import numpy as np

from mmdet.datasets.image_file import UnusableImageError, read_image
from mmdet.structures.coded_masks import CodedMasks
from mmdet.visualization.draw import draw_instances

_MARK = (255, 40, 40)  # red, green and blue


def thumbnail(path: str, *, side: int, masks: CodedMasks | None = None) -> np.ndarray | None:
    """Return a file's image as (h, w, 3) BGR, its longer side `side` pixels; None if it has none.

    Args:
        path: of the file.
        side: of the picture in pixels.
        masks: in the image's shape, of objects to mark.
    """
    try:
        image = read_image(path)
    except UnusableImageError:
        return None
    scale = side / max(image.shape[:2])
    height, width = (max(1, round(scale * each)) for each in image.shape[:2])
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if masks is None:
        return image
    bitmaps = masks.resize((height, width)).masks
    captions, colors = [''] * len(bitmaps), [_MARK] * len(bitmaps)
    marked = draw_instances(
        image[..., ::-1], bitmaps, captions, colors, line_width=2, box_colors=colors
    )
    return np.ascontiguousarray(marked[..., ::-1])
