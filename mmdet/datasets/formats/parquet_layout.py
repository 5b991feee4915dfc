"""COCO's form in Parquet: a row for each image, with its annotations in it.

The columns are `id`, `file_name`, `height`, `width` and `annotations`, a list of structs of
`category_id`, `bbox` (x, y, width, height in pixels), `area`, `iscrowd`, `ignore` (nothing is
trained on it), and a mask: either `counts`, COCO's compressed run lengths, or `polygons`. The
categories are JSON in the schema's metadata, under `categories`. Ids are all numbers or all texts.
"""

import json
from collections.abc import Sequence
from typing import Any

from mmdet.datasets.coco_annotations import PLACE, why_untrained
from mmdet.errors import UserError
from mmdet.structures.segmentation import as_rle, json_rle

from .arrow import pa

_CATEGORIES = b'categories'
_ID_TYPES = {int: pa.int64(), str: pa.string()}


def layout(image_id: pa.DataType, category_id: pa.DataType) -> pa.Schema:
    """Return the columns.

    Args:
        image_id: the type of the ids of images.
        category_id: that of categories.
    """
    annotation = pa.struct(
        [
            ('category_id', category_id),
            ('bbox', pa.list_(pa.float64(), 4)),
            ('area', pa.float64()),
            ('iscrowd', pa.bool_()),
            ('ignore', pa.bool_()),
            ('counts', pa.string()),
            ('polygons', pa.list_(pa.list_(pa.float64()))),
        ]
    )
    return pa.schema(
        [
            ('id', image_id),
            ('file_name', pa.string()),
            ('height', pa.int32()),
            ('width', pa.int32()),
            ('annotations', pa.list_(annotation)),
        ]
    )


def layout_for(image: dict, categories: Sequence[dict]) -> pa.Schema:
    """Return the columns for a data set, and its categories, from its first image.

    Raises:
        UserError: the ids of some categories are numbers, and those of others texts.
    """
    kinds = {type(each['id']) for each in categories} or {int}
    if len(kinds) > 1:
        raise UserError('Parquet has ids of one type, and of the categories some are text')
    named = [dict(id=each['id'], name=each['name']) for each in categories]
    schema = layout(_ID_TYPES[type(image['id'])], _ID_TYPES[kinds.pop()])
    return schema.with_metadata({_CATEGORIES: json.dumps(named).encode()})


def why_not_this_layout(schema: pa.Schema) -> str | None:
    """Return what of a file's schema is amiss, or None."""
    types = _ID_TYPES.values()
    layouts = [layout(image_id, category_id) for image_id in types for category_id in types]
    for field in layouts[0]:
        if field.name not in schema.names:
            return f'it has no column {field.name!r}'
        found = schema.field(field.name).type
        if found not in [each.field(field.name).type for each in layouts]:
            return f'its column {field.name!r} is of type {found}, where {field.type} is expected'
    if _CATEGORIES not in (schema.metadata or {}):
        return "its metadata has no 'categories'"
    return None


def categories_of(schema: pa.Schema) -> object:
    """Return the categories that the metadata of a file's schema holds; nothing of it is checked.

    Raises:
        ValueError: they are no JSON.
    """
    return json.loads(schema.metadata[_CATEGORIES])


def as_row(image: dict, annotations: Sequence[dict]) -> dict:
    """Return the row of an image.

    Args:
        image: as `CocoFile` has it.
        annotations: likewise.
    """
    size = image['height'], image['width']
    row = dict(id=image['id'], file_name=image['file_name'], height=size[0], width=size[1])
    return row | dict(
        annotations=[
            {
                **{key: each[key] for key in ('category_id', 'bbox', 'area')},
                'iscrowd': bool(each['iscrowd']),
                'ignore': why_untrained(each, image) is not None,
                **_mask_columns(each['segmentation'], *size),
            }
            for each in annotations
        ]
    )


def from_row(row: dict, place: str) -> tuple[dict, list[dict]]:
    """Return the image of a row and its annotations in COCO's form; nothing of it is checked.

    Args:
        row: as a file holds it.
        place: where it stands, for messages.
    """
    image = {key: row[key] for key in ('id', 'file_name', 'height', 'width')}
    size = [image['height'], image['width']]
    annotations: list[dict] = []
    for each in row['annotations'] or ():
        fields = each or dict.fromkeys(('counts', 'polygons'))
        mask = fields['polygons']
        if mask is None:
            mask = dict(size=size, counts=fields['counts'])
        annotations.append({**fields, 'segmentation': mask, PLACE: place})
    return image, annotations


def _mask_columns(segmentation: Any, height: int, width: int) -> dict:
    if isinstance(segmentation, list):
        return dict(polygons=segmentation)
    rle = as_rle(segmentation, height, width)
    return dict(counts=rle['counts'] if isinstance(rle['counts'], str) else json_rle(rle)['counts'])
