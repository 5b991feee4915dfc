"""The shapes of a labelme file as COCO's masks.

https://github.com/wkentaro/labelme, `labelme/utils/shape.py`: a shape has a label, points (x, y) in
pixels of the image's upper left corner, and a type. Shapes of one label and one `group_id` are
parts of one object.
"""

import base64
import binascii
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from mmdet.datasets.coco_values import real_number
from mmdet.datasets.segmentation_check import UnusableMaskError, check_segmentation
from mmdet.structures.segmentation import Segmentation, as_rle, json_rle

from .labelme_file import label_of

_NO_AREA = ('point', 'points', 'line', 'linestrip')
_OUTLINES = (
    'polygon',
    'rectangle',
    'oriented_rectangle',
    'rotation',
)  # the last is X-AnyLabeling's
_CIRCLE_GAP = 0.05  # pixels that a polygon's sides may lie within their circle


class Shape(NamedTuple):
    """A part of an object.

    Attributes:
        label: of the object.
        group: that all parts of the object have; a part without one is an object.
        number: in its file, from 1.
        part: a polygon x1, y1, x2, y2, ..., or COCO's compressed RLE.
        unusable: why it is none, to be read behind a number of annotations.
    """

    label: str
    group: object
    number: int
    part: list[float] | dict
    unusable: str | None


def read_shape(entry: object, number: int, height: int, width: int) -> Shape:
    """Return a shape of a file, whatever it is.

    Args:
        entry: what the file has in `shapes`.
        number: in its file, from 1.
        height: of the image in pixels.
        width: of the image in pixels.
    """
    fields = entry if isinstance(entry, dict) else {}
    part: list[float] | dict = []
    unusable = None
    try:
        part = _part(fields, height, width)
    except UnusableMaskError as error:
        unusable = str(error)
    return Shape(label_of(entry), fields.get('group_id'), number, part, unusable)


def objects_of(shapes: Sequence[Shape]) -> list[list[Shape]]:
    """Return the parts of each object, in the order of their first ones.

    A part that cannot be used is an object by itself, so that it is said.
    """
    objects: dict[object, list[Shape]] = {}
    for shape in shapes:
        alone = shape.group is None or shape.unusable is not None
        key = shape.number if alone else (shape.label, str(shape.group))
        objects.setdefault(key, []).append(shape)
    return list(objects.values())


def united(
    shapes: Sequence[Shape], height: int, width: int
) -> tuple[Segmentation | None, str | None]:
    """Return the union of an object's parts, and why it cannot be used.

    Args:
        shapes: the parts.
        height: of the image in pixels.
        width: of the image in pixels.
    """
    if shapes[0].unusable:
        return None, shapes[0].unusable
    polygons = [shape.part for shape in shapes if isinstance(shape.part, list)]
    masks = [shape.part for shape in shapes if isinstance(shape.part, dict)]
    if not masks or len(shapes) == 1:
        return masks[0] if masks else polygons, None
    try:
        if polygons:
            checked = check_segmentation(polygons, height, width).segmentation
            masks.append(as_rle(checked, height, width))
    except UnusableMaskError as error:
        return None, str(error)
    return json_rle(coco_mask.merge(masks)), None


def _part(fields: dict, height: int, width: int) -> list[float] | dict:
    kind = fields.get('shape_type') or 'polygon'  # as before labelme 3.5
    if kind in _NO_AREA:
        raise UnusableMaskError('that are points or lines, which have no area')
    points = _points(fields.get('points'))
    if kind == 'mask':
        return _mask(fields.get('mask'), points, height, width)
    if kind == 'circle':
        return _circle(points)
    if kind not in _OUTLINES:
        raise UnusableMaskError(f'of an unknown shape_type, {kind!r}')
    if kind == 'rectangle' and len(points) == 2:
        (x1, y1), (x2, y2) = points
        return [x1, y1, x2, y1, x2, y2, x1, y2]
    return [value for point in points for value in point]


def _points(value: object) -> list[tuple[float, float]]:
    points = []
    for point in value if isinstance(value, list) and value else [None]:
        numbers = [real_number(part) for part in point] if isinstance(point, list) else []
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            raise UnusableMaskError('whose points are not all pairs of numbers')
        points.append((float(numbers[0]), float(numbers[1])))
    return points


def _circle(points: list[tuple[float, float]]) -> list[float]:
    """Return a polygon for a centre and a point of the circle."""
    if len(points) != 2:
        raise UnusableMaskError('that are circles of other than two points')
    (x, y), end = points
    radius = math.dist((x, y), end)
    gap = max(min(_CIRCLE_GAP / radius, 1), 1e-6) if radius else 1
    number = max(12, math.ceil(math.pi / math.acos(1 - gap)))
    angles = np.arange(number) * (2 * math.pi / number)
    outline = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)
    return outline.ravel().tolist()


def _mask(text: object, points: list[tuple[float, float]], height: int, width: int) -> dict:
    """Return a mask that is a PNG of its box, the corners of which are its first and last pixel."""
    if not isinstance(text, str) or len(points) != 2:
        raise UnusableMaskError('that are masks without a picture or a box')
    try:
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            inside = np.asarray(image.convert('L')) > 0
    except (OSError, ValueError, SyntaxError, binascii.Error, Image.DecompressionBombError):
        raise UnusableMaskError('that are masks whose picture cannot be read') from None
    (x1, y1), (x2, y2) = [(int(x), int(y)) for x, y in points]
    if inside.shape != (y2 - y1 + 1, x2 - x1 + 1):
        raise UnusableMaskError('that are masks whose picture has another size than their box')
    whole = np.zeros((height, width), np.uint8, order='F')
    top, left = max(y1, 0), max(x1, 0)
    if top >= height or left >= width:
        raise UnusableMaskError('that are masks outside of their image')
    seen = inside[top - y1 : height - y1, left - x1 : width - x1]
    whole[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return json_rle(coco_mask.encode(whole))
