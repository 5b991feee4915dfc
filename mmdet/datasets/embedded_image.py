"""Pictures in a JSON file of labelme's: as base64 in `imageData`, as an image file's bytes.

Where labelme stores them, each file has its picture, and that is the one that labelme shows. Such a
file is an image to `read_image`, so that a folder of them needs no others.
"""

import base64
import json

from .text_file import decoded


def is_embedded(path: str) -> bool:
    """Return whether an image's path is that of a JSON file which holds it."""
    return path.lower().endswith('.json')


def embedded_image(content: bytes) -> bytes:
    """Return the image file that a JSON file of labelme's holds.

    Raises:
        ValueError: it holds none.
    """
    try:
        data = json.loads(decoded(content))['imageData']
        return base64.b64decode(data)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f'its imageData is no image ({type(error).__name__}: {error})') from None


def embedded_suffix(image: bytes) -> str:
    """Return by which ending other programs know an image file: labelme writes JPEG and PNG."""
    return '.jpg' if image.startswith(b'\xff\xd8') else '.png'
