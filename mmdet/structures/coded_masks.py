"""Masks that transforms move about as run lengths, and that are drawn once, at the end.

Each transform of a mask takes every row of its result from one row of what came before, or from
none, and every column likewise: the nearest one, the mirrored one, one of the window's. So any
number of them in turn is one number for each row and one for each column of the result, and pixels
are needed only where these numbers lead into the box of a mask. As bitmaps, some nine masks of a
megapixel would be drawn, resized, mirrored and packed for each image of COCO's.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from .masks import BitmapMasks, PackedMasks, box_around
from .segmentation import Segmentation, as_rle, draw_columns, run_lengths

_NOWHERE = -1  # of rows and columns that show no part of the run lengths' image


def masks_of(segmentations: Sequence[Segmentation | None], height: int, width: int) -> 'CodedMasks':
    """Return COCO's masks of an image for the transforms.

    Args:
        segmentations: see `decode_segmentation`; None is a mask without a pixel.
        height: of the image in pixels.
        width: of the image in pixels.
    """
    nothing = dict(size=[height, width], counts=[height * width])
    rles = [as_rle(each or nothing, height, width) for each in segmentations]
    return CodedMasks(rles, height, width)


class CodedMasks(BitmapMasks):
    """N masks as run lengths, and which of their rows and columns are shown.

    It does all that `BitmapMasks` does; `masks`, all of the bitmaps, is there for transforms that
    ask for it, and takes their time and memory each time.

    Args:
        rles: compressed, of one size.
        height: of the image in pixels.
        width: of the image in pixels.
        rows: (height,) int32, the row of the run lengths' image that each row shows, rising or
            falling, and -1 for none at either end; by default all of them as they are.
        columns: (width,) int32 likewise.

    Raises:
        ValueError: without rows and columns, a mask has another size than the image.
    """

    def __init__(
        self,
        rles: Sequence[dict],
        height: int,
        width: int,
        *,
        rows: np.ndarray | None = None,
        columns: np.ndarray | None = None,
    ) -> None:
        self.rles = list(rles)
        self.height = height
        self.width = width
        if rows is None or columns is None:
            for rle in self.rles:
                if tuple(rle['size']) != (height, width):
                    raise ValueError(f'a mask of {rle["size"]} in an image of {height, width}')
            rows, columns = np.arange(height, dtype=np.int32), np.arange(width, dtype=np.int32)
        self._rows = rows
        self._columns = columns

    @property
    def masks(self) -> np.ndarray:  # pyrefly: ignore[bad-override]: a field of bitmaps
        """(N, H, W) uint8, made anew each time, and not to be written into: it would be lost."""
        bitmaps = np.zeros((len(self), self.height, self.width), np.uint8)
        for bitmap, part in zip(bitmaps, self._parts(), strict=True):
            x1, y1, x2, y2 = part.box
            bitmap[y1:y2, x1:x2] = part.bitmap
        bitmaps.flags.writeable = False
        return bitmaps

    def __len__(self) -> int:
        return len(self.rles)

    def __getitem__(self, index: np.ndarray | slice) -> 'CodedMasks':
        chosen = np.arange(len(self))[index]
        return self._showing(self._rows, self._columns, [self.rles[i] for i in chosen])

    @property
    def areas(self) -> np.ndarray:
        """(N,) numbers of pixels."""
        return self.moments()[:, 0]

    def moments(self) -> np.ndarray:
        """Return (N, 3) int64: each mask's number of pixels, and the sums of their y and x.

        Nothing is drawn: they are differences, at the ends of runs, of sums over all pixels before.
        """
        if not self.rles:
            return np.zeros((0, 3), np.int64)
        height, width = self.rles[0]['size']
        each_row, by_row = _shown_times(self._rows, height)
        each_column, by_column = _shown_times(self._columns, width)
        rows_before, y_before = _sums_before(each_row), _sums_before(by_row)
        columns_before, x_before = _sums_before(each_column), _sums_before(by_column)
        each_column, by_column = np.append(each_column, 0), np.append(by_column, 0)

        ends = [run_lengths(rle['counts']).cumsum() for rle in self.rles]
        ends = [each[: len(each) // 2 * 2] for each in ends]  # runs of ones begin and end in turn
        # Run lengths go down the columns. Of those before a run's end all rows count.
        column, row = np.divmod(np.concatenate(ends), height)
        before = np.stack(
            (
                columns_before[column] * rows_before[-1] + each_column[column] * rows_before[row],
                columns_before[column] * y_before[-1] + each_column[column] * y_before[row],
                x_before[column] * rows_before[-1] + by_column[column] * rows_before[row],
            )
        )
        sums = np.pad((before[:, 1::2] - before[:, ::2]).cumsum(1), ((0, 0), (1, 0)))
        last = np.cumsum([len(each) // 2 for each in ends])
        return np.diff(sums[:, last], prepend=0).T

    def resize(self, shape: tuple[int, int]) -> 'CodedMasks':
        """Resize to `shape` (height, width) by the nearest pixel."""
        height, width = shape
        # OpenCV itself says which ones it would take.
        nearest = cv2.INTER_NEAREST
        rows = cv2.resize(self._rows[:, None], (1, height), interpolation=nearest)
        columns = cv2.resize(self._columns[None], (width, 1), interpolation=nearest)
        return self._showing(rows[:, 0], columns[0])

    def flip(self, direction: str = 'horizontal') -> 'CodedMasks':
        """Mirror: `horizontal`, `vertical` or `diagonal` (both)."""
        down, across = {'horizontal': (1, -1), 'vertical': (-1, 1), 'diagonal': (-1, -1)}[direction]
        return self._showing(self._rows[::down], self._columns[::across])

    def crop(self, box: tuple[int, int, int, int]) -> 'CodedMasks':
        """Cut out `box` (x1, y1, x2, y2), which lies within the image."""
        x1, y1, x2, y2 = box
        return self._showing(self._rows[y1:y2], self._columns[x1:x2])

    def pad(self, shape: tuple[int, int]) -> 'CodedMasks':
        """Extend to `shape` (height, width), not below their own, at the bottom and the right."""
        rows = np.pad(self._rows, (0, shape[0] - self.height), constant_values=_NOWHERE)
        columns = np.pad(self._columns, (0, shape[1] - self.width), constant_values=_NOWHERE)
        return self._showing(rows, columns)

    def get_bboxes(self) -> np.ndarray:
        """Return the (N, 4) float32 xyxy boxes around the masks, zeros for an empty one."""
        boxes = np.zeros((len(self), 4), np.float32)
        for box, part in zip(boxes, self._parts(), strict=True):
            inside = box_around(part.bitmap)
            if any(inside):
                box[:] = np.add(inside, part.box[:2] * 2)
        return boxes

    def pack(self) -> PackedMasks:
        """Return the same masks at one bit a pixel."""
        parts = list(self._parts())
        # There are fewer rows to pack before those of the result are taken.
        bits = [np.packbits(part.pixels, axis=1)[part.rows] for part in parts]
        return PackedMasks.of_boxes(bits, [part.box for part in parts], self.height, self.width)

    def _showing(
        self, rows: np.ndarray, columns: np.ndarray, rles: Sequence[dict] | None = None
    ) -> 'CodedMasks':
        rles = self.rles if rles is None else rles
        return CodedMasks(rles, len(rows), len(columns), rows=rows, columns=columns)

    def _parts(self) -> Iterator['_Part']:
        return (_draw(rle, self._rows, self._columns) for rle in self.rles)


class _Part(NamedTuple):
    """A box with all pixels of a mask.

    Attributes:
        box: x1, y1, x2, y2 in the image.
        pixels: (h, x2 - x1) uint8, each row once.
        rows: (y2 - y1,) which of them are shown.
    """

    box: tuple[int, int, int, int]
    pixels: np.ndarray
    rows: np.ndarray

    @property
    def bitmap(self) -> np.ndarray:
        """(y2 - y1, x2 - x1) uint8."""
        return self.pixels[self.rows]


def _draw(rle: dict, rows: np.ndarray, columns: np.ndarray) -> _Part:
    first, drawn = draw_columns(rle)
    x1, x2 = _where(columns, first, first + len(drawn))
    filled = np.flatnonzero(drawn.any(0))
    top, bottom = (filled[0], filled[-1] + 1) if len(filled) else (0, 0)
    y1, y2 = _where(rows, top, bottom)
    if x1 == x2 or y1 == y2:
        return _Part((0, 0, 0, 0), np.zeros((0, 0), np.uint8), np.zeros(0, int))
    # Pixels of a column lie side by side here, so that taking columns is quick.
    taken = drawn[columns[x1:x2] - first, top:bottom]
    return _Part((x1, y1, x2, y2), cv2.transpose(taken), rows[y1:y2] - top)


def _shown_times(shown: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each of `number` rows is shown, and the sum of the places where; int64."""
    places = np.flatnonzero(shown != _NOWHERE)
    times = np.bincount(shown[places], minlength=number)
    # float64 holds sums of a side's pixels exactly.
    return times, np.bincount(shown[places], places, minlength=number).astype(np.int64)


def _sums_before(values: np.ndarray) -> np.ndarray:
    return np.append(0, values.cumsum())


def _where(shown: np.ndarray, first: int, last: int) -> tuple[int, int]:
    """Return between which two places numbers from `first` to before `last` are shown."""
    found = np.flatnonzero((shown >= first) & (shown < last))
    return (int(found[0]), int(found[-1]) + 1) if len(found) else (0, 0)
