"""One picture: a file's, or an array."""

from collections.abc import Generator
from os.path import dirname

import numpy as np

from mmdet.datasets.image_file import UnreadableImageError, check_array, read_image

from .picture import Picture, UnreadableError


class ImageFile:
    """An image's file or address, turned as its EXIF orientation says.

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
        try:
            image = read_image(self.path)
        except UnreadableImageError as error:
            raise UnreadableError(error.message) from None
        yield Picture(image, self.path)


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
