"""The images and categories of a COCO annotation file: checked, or refused.

An annotation can be left out; an image or a category that cannot be understood would take many
annotations with it, so the file is refused with the entry's name.
"""

from collections import Counter
from collections.abc import Iterable

from mmdet.errors import UserError

from .coco_values import Identifier, identifier_key, whole_number
from .findings import NOTICED, REPAIRED, Findings

# OpenCV reads no larger image by itself.
MAX_SIDE = 1 << 20
MAX_PIXELS = 1 << 30


def check_images(entries: list[dict], path: str, findings: Findings) -> list[dict]:
    """Return the images in the order of their ids, `height` and `width` as integers.

    Args:
        entries: with `id`, `file_name`, `height` and `width`.
        path: of the annotation file, for messages.
        findings: what is repaired is added here.

    Raises:
        UserError: one has no id, name or size, or two have one id.
    """
    _check_ids(entries, 'images', path)
    images: list[dict] = []
    for image in entries:
        name = image['file_name']
        where = f'image {image["id"]!r} ({name})'
        if not isinstance(name, str) or not name:
            raise UserError(f'{path}: {where} has no file_name')
        given = f'height={image["height"]!r} and width={image["width"]!r}'
        sides = [whole_number(image['height']), whole_number(image['width'])]
        size = [side for side in sides if side is not None and side >= 1]
        if len(size) < 2:
            raise UserError(
                f'{path}: {where} has {given}; they are its size in pixels, as whole numbers'
            )
        if max(size) > MAX_SIDE or size[0] * size[1] > MAX_PIXELS:
            raise UserError(
                f'{path}: {where} has {given}; an image has {MAX_SIDE:,} pixels a side at most, '
                f'and {MAX_PIXELS:,} in all: cut it into tiles'
            )
        fields = dict(id=_plain(image['id']), height=size[0], width=size[1])
        if any(type(image[key]) is not type(value) for key, value in fields.items()):
            findings.add(REPAIRED, 'images with numbers written as text or fractions', where)
            image = {**image, **fields}
        images.append(image)
    names = Counter(image['file_name'] for image in images)
    for name, count in names.items():
        if count > 1:
            findings.add(NOTICED, 'files that several images name', name)
    # Numbers first: they cannot be compared with text.
    return sorted(images, key=lambda image: (isinstance(image['id'], str), image['id']))


def check_categories(entries: list[dict], path: str) -> list[dict]:
    """Return the categories.

    Args:
        entries: with `id` and `name`.
        path: of the annotation file, for messages.

    Raises:
        UserError: one has no id or no text as its name, or two have one id.
    """
    _check_ids(entries, 'categories', path)
    for category in entries:
        if not isinstance(category['name'], str):
            raise UserError(
                f'{path}: the name of category {category["id"]!r} is {category["name"]!r}; '
                'it must be text'
            )
    return [{**category, 'id': _plain(category['id'])} for category in entries]


def _check_ids(entries: Iterable[dict], section: str, path: str) -> None:
    seen = set()
    for entry in entries:
        key = identifier_key(entry['id'])
        if key is None:
            raise UserError(
                f'{path}: {section!r} has the id {entry["id"]!r}; ids are whole numbers'
            )
        if key in seen:
            raise UserError(f'{path}: the id {entry["id"]} stands twice in {section!r}')
        seen.add(key)


def _plain(identifier: Identifier | float) -> Identifier:
    return identifier if isinstance(identifier, str) else int(identifier)
