"""Masks of a part of an image as masks of the image."""

import numpy as np
from pycocotools import mask as coco_mask

from .masks import RLEMasks


def place(masks: RLEMasks, corner: tuple[int, int], size: tuple[int, int]) -> RLEMasks:
    """Return the masks of a part of an image as masks of the image.

    No bitmap of the image's size is made.

    Args:
        masks: N masks of the part.
        corner: (x, y) where its top left pixel lies in the image.
        size: (height, width) of the image.
    """
    if corner == (0, 0) and size == (masks.height, masks.width):
        return masks
    return RLEMasks([_placed(rle, corner, size) for rle in masks.rles], *size)


def _placed(rle: dict, corner: tuple[int, int], size: tuple[int, int]) -> dict:
    x, y, width, height = coco_mask.toBbox(rle).astype(int)
    # COCO counts down the columns.
    columns = coco_mask.decode(rle)[y : y + height, x : x + width].T
    edges = np.diff(np.pad(columns, ((0, 0), (1, 1))).astype(np.int8))
    column, row = edges.nonzero()  # begin and end of each run in turn
    edges = (column + x + corner[0]) * size[0] + row + y + corner[1]
    # A run that ends where the next begins goes on from the bottom of a column to the next's top.
    goes_on = np.flatnonzero(edges[1:-1:2] == edges[2::2]) * 2 + 1
    edges = np.delete(edges, [goes_on, goes_on + 1])
    counts = np.diff(edges, prepend=0, append=size[0] * size[1])
    counts = counts if counts[-1] else counts[:-1]
    return coco_mask.frPyObjects(dict(size=list(size), counts=counts.tolist()), *size)
