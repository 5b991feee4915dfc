"""Images whose values number the objects that their pixels belong to, as VOC and Cityscapes have.

Reading one takes the time of decoding it; threads share that. Their masks are found in one pass
over the image, whatever their number.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from mmdet.structures.segmentation import json_rle

_Name = TypeVar('_Name')
_Found = TypeVar('_Found')


class LabelMapError(Exception):
    """Why a file cannot be used, to be read behind its path."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f'{path} {why}')
        self.path = path
        self.why = why


def read_label_map(path: str) -> np.ndarray:
    """Return what a file numbers its pixels with.

    Args:
        path: of an image of one channel of 8 or 16 bits, of a palette, or of colours.

    Returns:
        (h, w) uint8 or uint16 numbers, of a palette its indices; (h, w, 3) uint8 RGB.

    Raises:
        LabelMapError: the file is missing, or is no such image.
    """
    try:
        with Image.open(path) as image:
            if image.mode in ('RGB', 'RGBA'):
                return np.asarray(image.convert('RGB'))
            labels = np.asarray(image)
    except FileNotFoundError:
        raise LabelMapError(path, 'does not exist') from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise LabelMapError(path, 'cannot be read') from None
    if labels.dtype == np.int32:  # what Pillow made of 16 bits before version 12
        labels = labels.astype(np.uint16)
    if labels.dtype == bool:
        labels = labels.astype(np.uint8)
    if labels.ndim != 2 or labels.dtype not in (np.uint8, np.uint16):
        raise LabelMapError(path, f'has pixels of the mode {image.mode}, which number nothing')
    return labels


def masks_of(labels: np.ndarray) -> dict[int, dict]:
    """Return the pixels of each number as COCO's compressed RLE.

    Args:
        labels: (h, w) uint8 or uint16.

    Examples:
        >>> import numpy as np
        >>> masks_of(np.array([[0, 7], [7, 7]], np.uint8))[7]
        {'size': [2, 2], 'counts': '13'}
    """
    height, width = labels.shape
    columns = cv2.transpose(labels).ravel()  # RLE runs down the columns
    starts = np.concatenate([[0], np.flatnonzero(columns[1:] != columns[:-1]) + 1])
    ends = np.concatenate([starts[1:], [columns.size]])
    values = columns[starts]
    order = np.argsort(values, kind='stable')
    firsts = np.flatnonzero(np.diff(values[order], prepend=-1))
    masks = {}
    for runs in np.split(order, firsts[1:]):
        edges = np.stack([starts[runs], ends[runs]], 1).ravel()
        counts = np.diff(edges, prepend=0, append=columns.size).tolist()
        del counts[len(counts) - (counts[-1] == 0) :]  # as pycocotools writes it
        rle = coco_mask.frPyObjects(dict(size=[height, width], counts=counts), height, width)
        masks[int(values[runs[0]])] = json_rle(rle)
    return masks


def in_threads(
    read: Callable[[_Name], _Found], names: Iterable[_Name]
) -> Iterator[_Found | LabelMapError]:
    """Yield what `read` returns for each name, or the error that it raises, in their order."""

    def attempt(name: _Name) -> _Found | LabelMapError:
        try:
            return read(name)
        except LabelMapError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(attempt, names)
