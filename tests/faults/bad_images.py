"""Images as they lie on real disks: broken ones, and odd ones that can be read all the same."""

import io
import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

BROKEN = ('empty', 'truncated', 'html', 'missing', 'resized')
ODD = ('cmyk', 'deep', 'grey', 'lying')


def spoil(path: Path, kind: str) -> None:
    """Put a broken or odd picture in a sound one's place."""
    pixels = cv2.imread(str(path))
    if kind == 'empty':
        path.write_bytes(b'')
    elif kind == 'truncated':
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    elif kind == 'html':
        path.write_text('<!DOCTYPE html><title>429 Too Many Requests</title>')
    elif kind == 'missing':
        path.unlink()
    elif kind == 'resized':
        path.write_bytes(encoded(cv2.resize(pixels, None, fx=0.5, fy=0.5)))
    elif kind == 'cmyk':
        path.write_bytes(saved(rgb(pixels).convert('CMYK')))
    elif kind == 'deep':
        path.write_bytes(encoded(pixels.astype(np.uint16) * 257, '.png'))
    elif kind == 'grey':
        path.write_bytes(encoded(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)))
    elif kind == 'lying':  # as a phone does, annotated as it is seen
        exif = Image.Exif()
        exif[0x0112] = 6
        path.write_bytes(saved(rgb(np.rot90(pixels)), exif=exif))
    else:
        raise ValueError(kind)


def spoil_each(root: Path, kinds: tuple[str, ...]) -> dict[str, Path]:
    """Spoil the first images of a training set, one of each kind."""
    content = json.loads((root / 'annotations/instances_train2017.json').read_text())
    names = [image['file_name'] for image in content['images']]
    paths = {kind: root / 'train2017' / name for kind, name in zip(kinds, names, strict=False)}
    for kind, path in paths.items():
        spoil(path, kind)
    return paths


def rgb(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))


def encoded(pixels: np.ndarray, suffix: str = '.jpg') -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def saved(image: Image.Image, **settings: object) -> bytes:
    content = io.BytesIO()
    image.save(content, 'JPEG', quality=95, **settings)
    return content.getvalue()
