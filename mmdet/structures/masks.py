"""Instance masks in three forms: bitmaps to transform, packed bits to send, RLE to keep.

Shape letters: N instances, H and W the height and width of the image.
"""

from collections.abc import Iterator, Sequence

import mmcv
import numpy as np
import torch
from mmengine.structures import BaseDataElement
from pycocotools import mask as coco_mask
from torch import Tensor

from .segmentation import areas_of


class BitmapMasks:
    """(N, H, W) uint8 bitmaps of one image, for the transforms of a data pipeline.

    Methods return other masks, which may share memory with these, and leave these as they are.
    """

    def __init__(self, masks: np.ndarray | Sequence[np.ndarray], height: int, width: int) -> None:
        self.masks = np.asarray(masks, dtype=np.uint8).reshape(len(masks), height, width)
        self.height = height
        self.width = width

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: np.ndarray | slice) -> 'BitmapMasks':
        return BitmapMasks(self.masks[index], self.height, self.width)

    @staticmethod
    def cat(masks: 'Sequence[BitmapMasks]') -> 'BitmapMasks':
        """Join masks of one size."""
        bitmaps = np.concatenate([part.masks for part in masks])
        return BitmapMasks(bitmaps, masks[0].height, masks[0].width)

    @property
    def areas(self) -> np.ndarray:
        """(N,) numbers of pixels."""
        return self.masks.sum((1, 2), dtype=np.int64)

    def moments(self) -> np.ndarray:
        """Return (N, 3) int64: each mask's number of pixels, and the sums of their y and x."""
        moments = [moments_of(mask) for mask in self.masks]
        return np.array(moments, np.int64).reshape(-1, 3)

    def resize(self, shape: tuple[int, int]) -> 'BitmapMasks':
        """Resize to `shape` (height, width) by the nearest pixel."""
        resized = np.empty((len(self), *shape), np.uint8)
        for mask, out in zip(self.masks, resized, strict=True):
            mmcv.imresize(mask, shape[::-1], interpolation='nearest', out=out)
        return BitmapMasks(resized, *shape)

    def flip(self, direction: str = 'horizontal') -> 'BitmapMasks':
        """Mirror: `horizontal`, `vertical` or `diagonal` (both)."""
        axes = {'horizontal': (2,), 'vertical': (1,), 'diagonal': (1, 2)}[direction]
        return BitmapMasks(np.flip(self.masks, axes), self.height, self.width)

    def crop(self, box: tuple[int, int, int, int]) -> 'BitmapMasks':
        """Cut out `box` (x1, y1, x2, y2), which lies within the image."""
        x1, y1, x2, y2 = box
        return BitmapMasks(self.masks[:, y1:y2, x1:x2], y2 - y1, x2 - x1)

    def pad(self, shape: tuple[int, int]) -> 'BitmapMasks':
        """Extend to `shape` (height, width), not below their own, at the bottom and the right."""
        padded = np.zeros((len(self), *shape), np.uint8)
        padded[:, : self.height, : self.width] = self.masks
        return BitmapMasks(padded, *shape)

    def place(self, corner: tuple[int, int], shape: tuple[int, int]) -> 'BitmapMasks':
        """Return the masks in an image of `shape` (height, width), cut at its border.

        Args:
            corner: (x, y) in it of these masks' top left pixel; it may lie outside.
            shape: of the image.
        """
        (x, y), (height, width) = corner, shape
        x1, y1 = min(max(-x, 0), self.width), min(max(-y, 0), self.height)
        x2, y2 = max(min(self.width, width - x), x1), max(min(self.height, height - y), y1)
        left, top = min(max(x, 0), width), min(max(y, 0), height)
        turned = self.crop((x1, y1, x2, y2)).flip('diagonal')
        return turned.pad((y2 - y1 + top, x2 - x1 + left)).flip('diagonal').pad(shape)

    def get_bboxes(self) -> np.ndarray:
        """Return the (N, 4) float32 xyxy boxes around the masks, zeros for an empty one."""
        return np.array([box_around(mask) for mask in self.masks], np.float32).reshape(-1, 4)

    def pack(self) -> 'PackedMasks':
        """Return the same masks at one bit a pixel."""
        boxes = self.get_bboxes().astype(int)
        bits = [
            np.packbits(mask[y1:y2, x1:x2], axis=1)
            for mask, (x1, y1, x2, y2) in zip(self.masks, boxes, strict=True)
        ]
        return PackedMasks.of_boxes(bits, boxes, self.height, self.width)


def box_around(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return x1, y1, x2, y2 around the pixels of an (H, W) bitmap, zeros if it has none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def moments_of(mask: np.ndarray, corner: tuple[int, int] = (0, 0)) -> tuple[int, int, int]:
    """Return how many pixels an (h, w) bitmap has, and the sums of their y and of their x.

    Args:
        mask: the bitmap.
        corner: (x, y) where its top left pixel lies in the image.
    """
    by_row, by_column = (mask.sum(axis, dtype=np.int64) for axis in (1, 0))
    area = int(by_row.sum())
    x, y = corner
    return (
        area,
        int(by_row @ np.arange(len(by_row))) + y * area,
        int(by_column @ np.arange(len(by_column))) + x * area,
    )


class PackedMasks(BaseDataElement):
    """Bitmaps at one bit a pixel: what a worker sends, and what goes to the GPU.

    Only boxes that hold all pixels of the masks are there: of COCO's, 6 % of the image.

    mmengine moves tensors and data elements alone. So this is one, and goes wherever the instances
    that hold it go: `to`, `cpu`, `cuda`, `detach` give masks whose bits are there.

    Attributes:
        bits: (B,) uint8, one box after the other and each row by row, in whole bytes, the leftmost
            pixel in the highest bit.
        boxes: (N, 4) integers xyxy in pixels; an array, which stays on the CPU.
        height: of the masks in pixels, padding included.
        width: of the masks in pixels, padding included.
    """

    def __init__(self, bits: Tensor, boxes: np.ndarray, height: int, width: int) -> None:
        super().__init__(metainfo=dict(boxes=boxes, height=height, width=width), bits=bits)

    @classmethod
    def of_boxes(
        cls,
        bits: Sequence[np.ndarray],
        boxes: np.ndarray | Sequence[tuple[int, int, int, int]],
        height: int,
        width: int,
    ) -> 'PackedMasks':
        """Return masks of (y2 - y1, ceil((x2 - x1) / 8)) uint8 bits for each box."""
        joined = np.concatenate([np.zeros(0, np.uint8), *(each.ravel() for each in bits)])
        return cls(torch.from_numpy(joined), np.array(boxes, int).reshape(-1, 4), height, width)

    def new(self, *, metainfo: dict | None = None, **fields: Tensor) -> 'PackedMasks':
        """Return masks with some of these ones' attributes replaced; see mmengine's class."""
        own = {**self.metainfo, **dict(self.items())}
        arguments: dict = {**own, **(metainfo or {}), **fields}
        return PackedMasks(**arguments)

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: int | Tensor | slice) -> 'PackedMasks':
        wanted = index.cpu().numpy() if isinstance(index, Tensor) else index
        chosen = np.atleast_1d(np.arange(len(self))[wanted])
        parts = self._parts(self.bits)
        bits = torch.cat([self.bits[:0], *(parts[i] for i in chosen)])
        return PackedMasks(bits, self.boxes[chosen], self.height, self.width)

    def clone(self) -> 'PackedMasks':
        """Return masks with the same bits; mmengine's would make some without."""
        return self.new()

    @staticmethod
    def cat(masks: 'Sequence[PackedMasks]') -> 'PackedMasks':
        """Join masks of one size; `InstanceData` indexes by it."""
        bits = torch.cat([part.bits for part in masks])
        boxes = np.concatenate([part.boxes for part in masks])
        return PackedMasks(bits, boxes, masks[0].height, masks[0].width)

    def pad(self, shape: tuple[int, int]) -> 'PackedMasks':
        """Extend to `shape` (height, width) at the bottom and the right; nothing is copied."""
        return PackedMasks(self.bits, self.boxes, *shape)

    def to_tensor(self) -> Tensor:
        """Return the (N, H, W) uint8 bitmaps on the device of the bits."""
        shifts = torch.arange(7, -1, -1, device=self.bits.device, dtype=torch.uint8)
        pixels = self.bits[:, None] >> shifts & 1
        bitmaps = pixels.new_zeros(len(self), self.height, self.width)
        parts = self._parts(pixels)
        for bitmap, part, (x1, y1, x2, y2) in zip(bitmaps, parts, self.boxes.tolist(), strict=True):
            if x1 < x2:
                bitmap[y1:y2, x1:x2] = part.reshape(y2 - y1, -1)[:, : x2 - x1]
        return bitmaps

    def moments(self) -> np.ndarray:
        """Return (N, 3) int64: each mask's number of pixels, and the sums of their y and x.

        Nothing outside of the masks' boxes is drawn.
        """
        moments = np.zeros((len(self), 3), np.int64)
        parts = self._parts(self.bits.cpu())
        for moment, part, (x1, y1, x2, y2) in zip(moments, parts, self.boxes.tolist(), strict=True):
            if x1 < x2:
                rows = part.reshape(y2 - y1, -1).numpy()
                moment[:] = moments_of(np.unpackbits(rows, axis=1, count=x2 - x1), (x1, y1))
        return moments

    def _parts(self, values: Tensor) -> Sequence[Tensor]:
        """Split values of each byte of the bits into those of the N masks."""
        x1, y1, x2, y2 = self.boxes.T
        return values.split(((y2 - y1) * -((x1 - x2) // 8)).tolist())

    def to_ndarray(self) -> np.ndarray:
        """Return the (N, H, W) uint8 bitmaps on the CPU."""
        return self.cpu().to_tensor().numpy()

    def numpy(self) -> np.ndarray:
        """Return what `to_ndarray` does: `numpy()` of a sample makes arrays of all it holds."""
        return self.to_ndarray()


class RLEMasks:
    """N masks of one image as COCO RLEs: what a detector predicts.

    They are bytes, wherever the model runs, and stay where they are when the instances move.

    Attributes:
        rles: `dict(size=[H, W], counts=bytes)` each, as pycocotools writes them.
        height: of the image in pixels.
        width: of the image in pixels.
    """

    def __init__(self, rles: Sequence[dict], height: int, width: int) -> None:
        self.rles = list(rles)
        self.height = height
        self.width = width

    def __len__(self) -> int:
        return len(self.rles)

    def __getitem__(self, index: int | slice | Tensor | np.ndarray) -> 'RLEMasks':
        wanted = index.cpu().numpy() if isinstance(index, Tensor) else index
        chosen = np.atleast_1d(np.arange(len(self))[wanted])
        return RLEMasks([self.rles[i] for i in chosen], self.height, self.width)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield (H, W) uint8 bitmaps; together those of a large image would take gigabytes."""
        for rle in self.rles:
            yield coco_mask.decode(rle)

    @staticmethod
    def cat(masks: 'Sequence[RLEMasks]') -> 'RLEMasks':
        """Join masks of one image; `InstanceData` indexes by it."""
        rles = [rle for part in masks for rle in part.rles]
        return RLEMasks(rles, masks[0].height, masks[0].width)

    @property
    def areas(self) -> np.ndarray:
        """(N,) numbers of pixels."""
        return areas_of(self.rles)

    def get_bboxes(self) -> np.ndarray:
        """Return the (N, 4) float32 xyxy boxes around the masks, zeros for an empty one."""
        boxes = np.array(coco_mask.toBbox(self.rles), np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes

    def to_ndarray(self) -> np.ndarray:
        """Return the (N, H, W) uint8 bitmaps."""
        if not self.rles:
            return np.zeros((0, self.height, self.width), np.uint8)
        return np.ascontiguousarray(coco_mask.decode(self.rles).transpose(2, 0, 1))

    def to_tensor(self) -> Tensor:
        """Return the (N, H, W) boolean bitmaps."""
        return torch.from_numpy(self.to_ndarray()).bool()
