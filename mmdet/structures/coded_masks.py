"""Masks of so many instances, or of so large an image, that their bitmaps would take gigabytes.

3,000 masks of 1333 x 800 pixels are 3.2 GB, 100 of 12,000 x 12,000 are 14.4 GB.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import mmcv
import numpy as np
import torch
from pycocotools import mask as coco_mask

from .masks import BitmapMasks, PackedMasks
from .segmentation import Segmentation, as_rle

MAX_PIXELS = 1 << 28
"""Of bitmaps that are held together."""


def masks_of(segmentations: Sequence[Segmentation | None], height: int, width: int) -> BitmapMasks:
    """Return COCO's masks of an image for the transforms, as bitmaps where those are not too many.

    Args:
        segmentations: see `decode_segmentation`; None is a mask without a pixel.
        height: of the image in pixels.
        width: of the image in pixels.
    """
    nothing = dict(size=[height, width], counts=[height * width])
    coded = (as_rle(each or nothing, height, width) for each in segmentations)
    if len(segmentations) * height * width > MAX_PIXELS:
        return CodedMasks(list(coded), height, width)
    return _collected(map(coco_mask.decode, coded), len(segmentations), (height, width))


class CodedMasks(BitmapMasks):
    """N masks as run lengths, each of which is a bitmap only while something is done with it.

    It does all that `BitmapMasks` does; `masks`, all of the bitmaps, is there for transforms that
    ask for it, and takes their memory.

    Args:
        rles: as pycocotools writes them.
        height: of the image in pixels.
        width: of the image in pixels.
    """

    def __init__(self, rles: Sequence[dict], height: int, width: int) -> None:
        self.rles = list(rles)
        self.height = height
        self.width = width

    @property
    def masks(self) -> np.ndarray:  # pyrefly: ignore[bad-override]: a field of bitmaps
        """(N, H, W) uint8, made anew each time."""
        bitmaps = np.empty((len(self), self.height, self.width), np.uint8)
        for bitmap, rle in zip(bitmaps, self.rles, strict=True):
            bitmap[:] = coco_mask.decode(rle)
        return bitmaps

    def __len__(self) -> int:
        return len(self.rles)

    def __getitem__(self, index: np.ndarray | slice) -> BitmapMasks:
        chosen = np.arange(len(self))[index]
        return CodedMasks([self.rles[i] for i in chosen], self.height, self.width)

    @property
    def areas(self) -> np.ndarray:
        """(N,) numbers of pixels."""
        return np.asarray(coco_mask.area(self.rles), np.int64).reshape(-1)

    def resize(self, shape: tuple[int, int]) -> BitmapMasks:
        """Resize to `shape` (height, width) by the nearest pixel."""

        def resized(mask: np.ndarray) -> np.ndarray:
            out = np.empty(shape, np.uint8)
            mmcv.imresize(mask, shape[::-1], interpolation='nearest', out=out)
            return out

        return self._each(resized, shape)

    def flip(self, direction: str = 'horizontal') -> BitmapMasks:
        """Mirror: `horizontal`, `vertical` or `diagonal` (both)."""
        axes = {'horizontal': (1,), 'vertical': (0,), 'diagonal': (0, 1)}[direction]
        return self._each(partial(np.flip, axis=axes), (self.height, self.width))

    def crop(self, box: tuple[int, int, int, int]) -> BitmapMasks:
        """Cut out `box` (x1, y1, x2, y2), which lies within the image."""
        x1, y1, x2, y2 = box
        return self._each(lambda mask: mask[y1:y2, x1:x2], (y2 - y1, x2 - x1))

    def pad(self, shape: tuple[int, int]) -> BitmapMasks:
        """Extend to `shape` (height, width), not below their own, at the bottom and the right."""
        missing = (0, shape[0] - self.height), (0, shape[1] - self.width)
        return self._each(partial(np.pad, pad_width=missing), shape)

    def get_bboxes(self) -> np.ndarray:
        """Return the (N, 4) float32 xyxy boxes around the masks, zeros for an empty one."""
        boxes = np.array(coco_mask.toBbox(self.rles), np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes

    def pack(self) -> PackedMasks:
        """Return the same masks at one bit a pixel."""
        bits = np.empty((len(self), self.height, -(-self.width // 8)), np.uint8)
        for row, rle in zip(bits, self.rles, strict=True):
            row[:] = np.packbits(coco_mask.decode(rle), axis=-1)
        return PackedMasks(torch.from_numpy(bits), self.height, self.width)

    def _each(
        self, change: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int]
    ) -> BitmapMasks:
        changed = (change(coco_mask.decode(rle)) for rle in self.rles)
        return _collected(changed, len(self), shape)


def _collected(masks: Iterable[np.ndarray], number: int, shape: tuple[int, int]) -> BitmapMasks:
    """Keep masks that come one by one, as bitmaps where those are not too many."""
    if number * shape[0] * shape[1] > MAX_PIXELS:
        return CodedMasks([coco_mask.encode(np.asfortranarray(mask)) for mask in masks], *shape)
    bitmaps = np.empty((number, *shape), np.uint8)
    for bitmap, mask in zip(bitmaps, masks, strict=True):
        bitmap[:] = mask
    return BitmapMasks(bitmaps, *shape)
