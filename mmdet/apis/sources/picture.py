"""A picture to look at, what yields such, and what yields just one."""

from collections.abc import Generator
from dataclasses import dataclass
from os.path import dirname
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from mmdet.datasets.image_file import check_array, read_image


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and where it came from.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        path: of its file or video, the address of its stream without a password, or `camera N`;
            empty for an array.
        frame: its number among the frames of a video or stream that could be decoded, from 0; None
            for a picture.
        time: in seconds from the beginning of the video or stream; None for a picture.
    """

    image: np.ndarray
    path: str = ''
    frame: int | None = None
    time: float | None = None


@runtime_checkable
class Pictures(Protocol):
    """An opened source; it is gone through once.

    Attributes:
        total: how many pictures are expected, for a display of progress; None if nobody knows.
        live: it is a camera or a stream, which goes on until it is stopped.
        root: the folder that all paths are in or below; empty if there is none.
        broken: what could not be read so far and was left out, a sentence each.
        notes: what else there is to say about it at its end, a sentence each.
    """

    total: int | None
    live: bool
    root: str
    broken: list[str]
    notes: list[str]

    def __iter__(self) -> Generator[Picture, None, None]:
        """Yield the pictures; what is open is closed at the end, or when the iterator is."""
        ...


class ImageFile:
    """An image's file or address, turned as its EXIF orientation says.

    Of several pages, or of an animation, it is the first.

    Args:
        path: of it.
    """

    live: bool = False
    total: int | None = 1

    def __init__(self, path: str) -> None:
        self.path = path
        self.root = '' if '://' in path else dirname(path)
        self.broken: list[str] = []
        self.notes: list[str] = []

    def __iter__(self) -> Generator[Picture, None, None]:
        """Yield the picture.

        Raises:
            UnreadableError: it is missing or broken.
        """
        yield Picture(read_image(self.path), self.path)
        number = 1 if '://' in self.path else cv2.imcount(self.path)
        if number > 1:
            self.notes.append(f'{self.path} has {number} pictures, of which the first was taken')


class Array:
    """A picture in memory.

    Args:
        image: (h, w, 3) uint8 BGR.

    Raises:
        UserError: it is another array.
    """

    live: bool = False
    total: int | None = 1

    def __init__(self, image: np.ndarray) -> None:
        check_array(image)
        self.image = image
        self.root = ''
        self.broken: list[str] = []
        self.notes: list[str] = []

    def __iter__(self) -> Generator[Picture, None, None]:
        """Yield the picture."""
        yield Picture(self.image)
