"""Writing an image."""

from pathlib import Path

import cv2
import numpy as np

from mmdet.datasets.image_file import IMAGE_SUFFIXES
from mmdet.errors import UserError
from mmdet.utils.files import write_whole


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a (h, w, 3) BGR or (h, w, 4) BGRA image in the format of its name, whole or not at all.

    Raises:
        UserError: there is no such format.
        OSError: it cannot be written.
    """
    if not cv2.haveImageWriter(str(path)):
        raise UserError(f'no picture can be written as {path}: name one ending in .jpg or .png')
    write_whole(path, cv2.imencode(path.suffix, image)[1].tobytes())


def picture_suffix(path: str) -> str:
    """Return an image's own ending, if images can be written with it, else `.jpg`."""
    suffix = Path(path).suffix
    is_known = suffix.lower() in IMAGE_SUFFIXES and cv2.haveImageWriter(f'x{suffix}')
    return suffix if is_known else '.jpg'
