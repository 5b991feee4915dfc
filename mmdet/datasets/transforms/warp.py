"""Images, masks and boxes under an affine or a projective matrix.

A matrix maps (x, y) in pixels of what is given to that of the result: (2, 3), or (3, 3) in
homogeneous coordinates.
"""

import cv2
import numpy as np
from mmcv.image.geometric import cv2_interp_codes as INTERPOLATIONS

from mmdet.structures.masks import BitmapMasks

__all__ = ['INTERPOLATIONS', 'clip_boxes', 'project_boxes', 'warp', 'warp_masks']


def warp(
    image: np.ndarray,
    matrix: np.ndarray,
    shape: tuple[int, int],
    *,
    border_value: tuple[float, ...],
    interpolation: str = 'bilinear',
) -> np.ndarray:
    """Return the (h, w) or (h, w, 3) image under the matrix, in `shape` (height, width)."""
    apply = cv2.warpAffine if len(matrix) == 2 else cv2.warpPerspective
    size, flags = shape[::-1], INTERPOLATIONS[interpolation]
    return apply(image, matrix, size, flags=flags, borderValue=border_value)


def warp_masks(
    masks: BitmapMasks,
    matrix: np.ndarray,
    shape: tuple[int, int],
    *,
    border_value: int = 0,
    interpolation: str = 'bilinear',
) -> BitmapMasks:
    """Return the masks under the matrix; interpolated, a pixel is one from a half on."""
    warped = np.empty((len(masks), *shape), np.uint8)
    for mask, out in zip(masks.masks, warped, strict=True):
        out[:] = warp(
            mask, matrix, shape, border_value=(border_value,), interpolation=interpolation
        )
    return BitmapMasks(warped, *shape)


def project_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the (N, 4) float32 xyxy boxes around the corners of boxes under the matrix."""
    corners = boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2)
    corners = np.concatenate([corners, np.ones_like(corners[..., :1])], axis=2)
    moved = corners @ matrix.T.astype(np.float32)
    if len(matrix) == 3:
        moved = moved[..., :2] / moved[..., 2:]
    return np.concatenate([moved.min(1), moved.max(1)], axis=1).astype(np.float32)


def clip_boxes(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the (N, 4) xyxy boxes cut at the border of an image of `shape` (height, width)."""
    height, width = shape
    return boxes.clip(0, np.array([width, height] * 2, boxes.dtype))
