"""Images and their instances at a place in another image, cut at its border.

A corner is the (x, y) in the other image of the top left pixel; it may lie outside.
"""

import numpy as np

from .warp import clip_boxes


def paste(image: np.ndarray, canvas: np.ndarray, corner: tuple[int, int]) -> None:
    """Draw an (h, w, 3) image into the canvas."""
    x, y = corner
    x1, y1 = max(x, 0), max(y, 0)
    x2 = min(x + image.shape[1], canvas.shape[1])
    y2 = min(y + image.shape[0], canvas.shape[0])
    if x1 < x2 and y1 < y2:
        canvas[y1:y2, x1:x2] = image[y1 - y : y2 - y, x1 - x : x2 - x]


def place_instances(
    results: dict, corner: tuple[int, int], shape: tuple[int, int], *, clip: bool = True
) -> dict:
    """Return the results with their boxes and masks in an image of `shape` (height, width).

    Args:
        results: what holds them; its image stays as it is.
        corner: where they lie in that image.
        shape: its height and width.
        clip: cut boxes at its border; masks always are.
    """
    placed = {**results}
    if 'gt_bboxes' in results:
        boxes = results['gt_bboxes'] + np.array(corner * 2, np.float32)
        placed['gt_bboxes'] = clip_boxes(boxes, shape) if clip else boxes
    if 'gt_masks' in results:
        placed['gt_masks'] = results['gt_masks'].place(corner, shape)
    return placed


def reach_into(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return (N,) booleans: which (N, 4) xyxy boxes reach into an image of `shape`."""
    height, width = shape
    return np.all((boxes[:, :2] < (width, height)) & (boxes[:, 2:] > 0), axis=1)


def centres_within(boxes: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    """Return (N,) booleans: which (N, 4) xyxy boxes have their middle in an xyxy window."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.all((centres > window[:2]) & (centres < window[2:]), axis=1)
