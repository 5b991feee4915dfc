"""A JSON file of labelme's, and the image that it is of."""

import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from mmdet.datasets.coco_images import leads_out, size_of
from mmdet.datasets.findings import REPAIRED, Findings
from mmdet.datasets.text_file import read_text

NO_OBJECTS = ('__ignore__', '_background_')
"""Labels of what is no object."""


class LabelmeFile(NamedTuple):
    """What a file holds.

    Attributes:
        path: of the file.
        image_path: of its image, as it stands there.
        size: the image's (height, width), or None if there is none.
        shapes: as they stand there.
        has_picture: whether the image itself is in the file.
    """

    path: str
    image_path: str
    size: tuple[int, int] | None
    shapes: list
    has_picture: bool


def read_file(path: str) -> LabelmeFile | None:
    """Return what a file holds, or None if it is not labelme's.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        content = json.loads(read_text(path))
    except RecursionError as error:
        raise ValueError(str(error)) from None
    if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
        return None
    if not isinstance(content.get('imagePath'), str):
        return None
    size = size_of(dict(height=content.get('imageHeight'), width=content.get('imageWidth')))
    has_picture = bool(content.get('imageData'))
    return LabelmeFile(path, content['imagePath'], size, content['shapes'], has_picture)


def label_of(shape: object) -> str:
    """Return the label of a shape, whatever it is."""
    return str(shape.get('label')) if isinstance(shape, dict) else ''


def find_picture(file: LabelmeFile, roots: Sequence[str], findings: Findings) -> str | None:
    """Return the path of a file's image, or None if there is none.

    It is where the file says, and if that is not there, or is out of some folders, beside the file,
    and then the file itself, which holds it.

    Args:
        file: that names the image, from its own folder, perhaps as another machine saw it.
        roots: the folders.
        findings: what is repaired is added here.
    """
    folder = os.path.dirname(file.path)
    said = file.image_path.replace('\\', '/')
    named = os.path.normpath(os.path.join(folder, said))
    beside = os.path.join(folder, os.path.basename(said))
    if os.path.isfile(named) and not leads_out(named, folder, roots):
        return named
    if os.path.isfile(beside):
        what = 'images named by a path of another place: taken from beside their JSON files'
        findings.add(REPAIRED, what, f'{file.path}: {file.image_path}')
        return beside
    if file.has_picture:
        return file.path
    return named if os.path.isfile(named) else None  # out of the folders: that is refused
