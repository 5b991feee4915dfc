"""The images and categories of a COCO annotation file: checked, or refused.

An annotation can be left out; an image or a category that cannot be understood would take many
annotations with it, so the file is refused with the entry's name.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from .coco_values import Identifier, identifier_key, whole_number
from .findings import NOTICED, REFUSED, REPAIRED, Findings

# OpenCV reads no larger image by itself.
MAX_SIDE = 1 << 20
MAX_PIXELS = 1 << 30


def check_images(entries: Sequence[dict], findings: Findings) -> list[dict]:
    """Return the images in the order of their ids, `height` and `width` as integers.

    Args:
        entries: with `id`, `file_name`, `height` and `width`.
        findings: what is repaired is added here, and what is refused: an image without an id, a
            name or a size, and two of one id.
    """
    images: list[dict] = []
    for image in _with_own_ids(entries, 'images', 'file_name', findings):
        name = image['file_name']
        where = f'image {image["id"]!r} ({name})'
        if not isinstance(name, str) or not name:
            findings.add(REFUSED, 'has no file_name', where)
            continue
        given = f'height={image["height"]!r} and width={image["width"]!r}'
        size = size_of(image)
        if size is None:
            what = f'has {given}; they are its size in pixels, as whole numbers'
            findings.add(REFUSED, what, where)
            continue
        if max(size) > MAX_SIDE or size[0] * size[1] > MAX_PIXELS:
            what = (
                f'has {given}; an image has {MAX_SIDE:,} pixels a side at most, and '
                f'{MAX_PIXELS:,} in all: cut it into tiles'
            )
            findings.add(REFUSED, what, where)
            continue
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


def leads_out(name: str, folder: str, roots: Sequence[str]) -> bool:
    """Return whether an image's name leads out of all of some folders.

    It is looked at as text. A link in a folder is its owner's to make.

    Args:
        name: of the image.
        folder: that the name is in.
        roots: the folders.
    """
    if '..' not in name and not name.startswith('/'):
        return False  # as all of COCO's are; the rest takes time
    path = os.path.abspath(os.path.join(folder, name))
    return not any(os.path.commonpath([root, path]) == root for root in map(os.path.abspath, roots))


def size_of(image: Mapping) -> tuple[int, int] | None:
    """Return the (height, width) that an entry gives, or None if that is no size."""
    height, width = whole_number(image.get('height')), whole_number(image.get('width'))
    if height is None or width is None or min(height, width) < 1:
        return None
    return height, width


def check_categories(entries: Sequence[dict], findings: Findings) -> list[dict]:
    """Return the categories.

    Args:
        entries: with `id` and `name`.
        findings: what is refused is added here: a category without an id or whose name is no text,
            and two of one id.
    """
    categories: list[dict] = []
    for category in _with_own_ids(entries, 'categories', 'name', findings):
        if isinstance(category['name'], str):
            categories.append({**category, 'id': _plain(category['id'])})
        else:
            what = f'is {category["name"]!r}; it must be text'
            findings.add(REFUSED, what, f'the name of category {category["id"]!r}')
    return categories


def _with_own_ids(
    entries: Sequence[dict], section: str, name: str, findings: Findings
) -> list[dict]:
    """Return the entries whose ids are theirs alone.

    Where several have one id, the first is returned if all have one name: they are one then.
    """
    by_id: dict[Identifier, list[dict]] = defaultdict(list)
    for entry in entries:
        key = identifier_key(entry['id'])
        if key is None:
            what = f'has the id {entry["id"]!r} (of {entry[name]!r}); ids are whole numbers'
            findings.add(REFUSED, what, f'{section!r}')
        else:
            by_id[key].append(entry)
    own: list[dict] = []
    for same in by_id.values():
        if len(same) == 1:
            own += same
            continue
        names = [str(entry[name]) for entry in same]
        times = 'twice' if len(same) == 2 else f'{len(same)} times'
        what = f'stands {times} in {section!r} ({", ".join(names)})'
        findings.add(REFUSED, what, f'the id {same[0]["id"]}')
        own += same[:1] if len(set(names)) == 1 else ()
    return own


def _plain(identifier: Identifier | float) -> Identifier:
    return identifier if isinstance(identifier, str) else int(identifier)
