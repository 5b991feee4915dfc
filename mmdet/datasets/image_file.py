"""Reading an image so that its pixels lie where its annotations say.

A camera stores a picture as its sensor saw it, and writes beside it (EXIF orientation) how to turn
it. Some annotation programs show the picture turned, others do not, and the annotation file says
only which size they saw. So the annotated size decides, for each image by itself:

- The turned picture has that size: it is read turned, as OpenCV does by itself. This holds also
  where both sizes are the same (a square picture, one upside down, a mirrored one): browsers and
  the annotation programs of today show it turned, and mmdetection reads it so.
- Only the stored picture has it: the orientation is ignored, and a line in the log says so.
- Neither has it: the masks belong to another picture, and the image is refused.
"""

import io
import logging
from functools import cache
from os.path import dirname

import cv2
import mmcv
import numpy as np
from mmengine.logging import print_log

from mmdet.errors import UserError

from .embedded_image import embedded_image, is_embedded
from .file_backend import read_bytes

IMAGE_SUFFIXES = (
    *('.avif', '.bmp', '.dib', '.jfif', '.jp2', '.jpe', '.jpeg', '.jpg', '.pbm', '.pgm', '.png'),
    *('.pnm', '.ppm', '.tif', '.tiff', '.webp'),
)
"""By which an image is told from other files, in small letters."""


class UnusableImageError(UserError):
    """An image that its annotations cannot be used with; others can."""


class UnreadableError(UnusableImageError):
    """An image or video that is missing or broken, without which others can be looked at."""


def read_image(
    path: str,
    *,
    size: tuple[int, int] | None = None,
    flag: str = 'color',
    imdecode_backend: str = 'cv2',
    backend_args: dict | None = None,
) -> np.ndarray:
    """Read an image at the size it is annotated with; see the module for what that means.

    Whatever the file holds (grey, 16 bits, a palette, CMYK, transparency), `color` gives 8-bit BGR:
    16 bits lose their lower half, transparency is dropped.

    Args:
        path: of the file; it may be a JSON file of labelme's that holds the image.
        size: (height, width) that the annotations are for; None reads the image turned.
        flag: `color`, `grayscale`, `unchanged` or another of `mmcv.imfrombytes`.
        imdecode_backend: `cv2`, `pillow` or another of `mmcv.imfrombytes`.
        backend_args: of mmengine's storage backend, if the file is not on a local disk.

    Returns:
        (h, w, 3) uint8 BGR with `color`; (h, w) uint8 with `grayscale`; with `unchanged` what the
        file holds.

    Raises:
        UnreadableError: the file is missing, cannot be read, or is no image.
        UnusableImageError: the image has another size than `size`.
        UserError: the backend cannot read it.
    """
    content = _read_bytes(path, backend_args)
    image = _decode(content, path, flag, imdecode_backend)
    if size is None or image.shape[:2] == tuple(size):
        return image
    # The orientation is not there for `unchanged` and for some backends; OpenCV knows it.
    unturned = flag if flag == 'unchanged' else f'{flag.split("_")[0]}_ignore_orientation'
    stored = _decode(content, path, unturned, 'cv2')
    if stored.shape[:2] == tuple(size):
        _say_unturned(dirname(path))
        return stored
    raise UnusableImageError(
        f'image {path} is {image.shape[1]} x {image.shape[0]} pixels (width x height), but is '
        f'annotated as {size[1]} x {size[0]}: its masks would lie in the wrong place; correct its '
        "'width' and 'height', and its annotations, in the annotation file, or put the picture "
        'back that was annotated'
    )


def check_array(image: np.ndarray) -> None:
    """See that an array is what `read_image` returns with `color`.

    Raises:
        UserError: it is another array: grey, with transparency, of floats, or empty.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise UserError(
            f'an array of shape {image.shape} and type {image.dtype} is no picture: it takes '
            '(height, width, 3) of uint8, in BGR order'
        )


def _read_bytes(path: str, backend_args: dict | None) -> bytes:
    try:
        content = read_bytes(path, backend_args)
        return embedded_image(content) if is_embedded(path) else content
    except ValueError as error:
        raise UnreadableError(f'image {path} cannot be read: {error}') from None
    except FileNotFoundError:
        hint = (
            "; the annotation file's file_name has backslashes, where / is meant"
            if '\\' in path
            else ''
        )
        raise UnreadableError(f'image {path} does not exist{hint}') from None
    except OSError as error:
        raise UnreadableError(f'image {path} cannot be read: {error}') from None


def _decode(content: bytes, path: str, flag: str, imdecode_backend: str) -> np.ndarray:
    if imdecode_backend == 'pillow':
        _refuse_deep(content, path, flag)
    try:
        image = mmcv.imfrombytes(content, flag=flag, backend=imdecode_backend)
    except (cv2.error, OSError):  # OpenCV's way to say it, and Pillow's
        image = None
    except (AttributeError, KeyError, ValueError) as error:
        raise UserError(
            f'image {path} cannot be read with color_type={flag!r} and '
            f"imdecode_backend={imdecode_backend!r} ({error}); 'color' and 'cv2' read any image"
        ) from None
    if image is None:
        raise UnreadableError(f'image {path} cannot be read: {_reason(content)}')
    return image


def _reason(content: bytes) -> str:
    try:
        stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # it is empty
        stored = None
    if stored is None:
        return 'it is broken or no image; replace the file or leave it out'
    return f'its pixels are {stored.dtype}; save it with 8 or 16 bits a channel'


def _refuse_deep(content: bytes, path: str, flag: str) -> None:
    """Pillow cuts 16 bits at 255, where it should scale them."""
    try:
        from PIL import Image  # mmcv has it only where this backend is wanted

        mode = Image.open(io.BytesIO(content)).mode
    except (ImportError, OSError):
        return  # mmcv says it
    if mode[0] in 'IF' and flag != 'unchanged':
        raise UserError(
            f"image {path} has more than 8 bits a channel, which imdecode_backend='pillow' would "
            "cut off; use imdecode_backend='cv2'"
        )


@cache
def _say_unturned(folder: str) -> None:
    """Once for each folder, in each process."""
    print_log(
        f'{folder}: images are annotated as they are stored, not as their EXIF orientation turns '
        'them; they are read as they are annotated',
        logger='current',
        level=logging.WARNING,
    )
