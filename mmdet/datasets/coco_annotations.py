"""The annotations of a COCO file: each repaired, or left out with a reason.

`coco_file.py` has the table of what becomes of what.
"""

import math
from collections.abc import Mapping, Sequence

from pycocotools import mask as coco_mask

from mmdet.structures.segmentation import as_rle

from .box_check import BoxCheck
from .coco_values import Identifier, identifier_key, is_set, real_number
from .findings import LEFT_OUT, NOTICED, REFUSED, REPAIRED, Findings
from .segmentation_check import Extent, UnusableMaskError, check_segmentation

PLACE = 'mmdet_place'
"""Of an annotation that was no COCO file's: where it stands, for messages."""
UNUSABLE = 'mmdet_unusable'
"""Of such an annotation: why it is left out, which the reader of its format found."""

_NO_OWN_ID = 'without an id of their own: numbered anew'
_PAINTED = 'masks painted in CVAT, which marks all such "iscrowd": taken as objects'
_STRANGE_BOX = 'with a box that does not lie around the mask: taken from the mask'


def check_annotations(
    entries: Sequence[dict],
    images: Sequence[dict],
    categories: Sequence[dict],
    findings: Findings,
) -> list[dict]:
    """Return the annotations that can be used, with all fields that COCO's have.

    Args:
        entries: with `image_id` and `category_id`.
        images: with their sizes, as `check_images` returns them.
        categories: as `check_categories` returns them.
        findings: what is repaired and left out is added here, and why the file is refused: most
            annotations are left out, or most boxes do not belong to their masks; these boxes are
            returned as the masks have them.
    """
    image_of = {identifier_key(image['id']): image for image in images}
    category_ids = {identifier_key(category['id']): category['id'] for category in categories}
    boxes = BoxCheck()
    usable: list[dict] = []
    # Those whose boxes lie elsewhere than their masks: numbers in `entries` and `usable`.
    strange: list[tuple[int, int, Extent]] = []
    ids: set[Identifier] = set()
    for number, annotation in enumerate(entries):
        image_id = annotation['image_id']
        try:
            fields, repairs, extent = repaired(annotation, image_of, category_ids)
        except UnusableMaskError as reason:
            findings.add(LEFT_OUT, str(reason), place(annotation, number), image=image_id)
            continue
        for repair in repairs:
            findings.add(REPAIRED, repair, place(annotation, number), image=image_id)
        if not boxes.fits(fields['bbox'], extent):
            boxes.strange = boxes.strange or place(annotation, number)
            strange.append((number, len(usable), extent))
        identifier = identifier_key(annotation.get('id'))
        if identifier is None or identifier in ids:
            findings.add(REPAIRED, _NO_OWN_ID, place(annotation, number), image=image_id)
        else:
            ids.add(identifier)
        usable.append({**annotation, **fields})
    _refuse_most_left_out(len(entries), len(usable), findings)
    why = boxes.why_refused()
    if why is not None:
        findings.add(REFUSED, why, 'of its annotations,')
        for number, index, extent in strange:
            fields, where = usable[index], place(entries[number], number)
            fields['bbox'] = _box_around(extent, image_of[identifier_key(fields['image_id'])])
            findings.add(REPAIRED, _STRANGE_BOX, where, image=fields['image_id'])
    _notice_many_crowds(usable, findings)
    return usable


def _refuse_most_left_out(total: int, usable: int, findings: Findings) -> None:
    """Refuse a file most of whose objects would be taught to be background."""
    if total and 2 * usable < total:
        left_out = f'{total - usable} of {total}' if usable else f'none of its {total}'
        what = f'annotations {"cannot" if usable else "can"} be used: {findings.summary()}'
        findings.add(REFUSED, what, left_out)


def place(annotation: dict, number: int | None = None) -> str:
    """Say which annotation it is: by its ids, or by its number in the file."""
    if PLACE in annotation:
        return annotation[PLACE]
    identifier = annotation.get('id')
    name = f'number {number}' if identifier is None else f'{identifier!r}'
    return f'annotation {name} of image {annotation["image_id"]!r}'


def _notice_many_crowds(annotations: Sequence[dict], findings: Findings) -> None:
    """Say that nothing is learned from crowds, where they are so many that they may be none.

    COCO has one in 80 annotations.
    """
    crowds = [annotation for annotation in annotations if annotation['iscrowd']]
    if len(crowds) < 3 or 4 * len(crowds) <= len(annotations):
        return
    for annotation in crowds:
        findings.add(NOTICED, 'marked "iscrowd", from which nothing is learned', place(annotation))


def repaired(
    annotation: dict,
    image_of: Mapping[Identifier | None, dict],
    category_ids: Mapping[Identifier | None, Identifier],
) -> tuple[dict, list[str], Extent]:
    """Return an annotation's fields, what had to be repaired in them, and its mask's extent.

    Args:
        annotation: with `image_id` and `category_id`.
        image_of: the images by their ids' keys, with `id`, `height` and `width`.
        category_ids: the ids of the categories by their keys.

    Raises:
        UnusableMaskError: it has to be left out.
    """
    if UNUSABLE in annotation:
        raise UnusableMaskError(annotation[UNUSABLE])
    image = image_of.get(identifier_key(annotation['image_id']))
    if image is None:
        raise UnusableMaskError('of images that the file does not have')
    category_id = category_ids.get(identifier_key(annotation['category_id']))
    if category_id is None:
        raise UnusableMaskError('of categories that the file does not have')
    height, width = image['height'], image['width']
    segmentation, extent, repair = check_segmentation(annotation.get('segmentation'), height, width)
    repairs = [repair] if repair else []
    if annotation['image_id'] != image['id'] or annotation['category_id'] != category_id:
        repairs.append('with ids of another type than those that they name')

    is_coco = PLACE not in annotation  # other formats have neither boxes nor areas
    box = _box(annotation.get('bbox'))
    if box is None:
        box = _box_around(extent, image)
        repairs += ['without a usable box: taken from the mask'] * is_coco
    elif box != annotation['bbox']:
        repairs.append('with a box written as text')
    area = annotation.get('area')
    if not isinstance(area, (int, float)) or not 0 < area < math.inf:
        area = float(coco_mask.area(as_rle(segmentation, height, width)))
        if not area:
            raise UnusableMaskError('whose mask has no pixel')
        repairs += ['without a usable area: taken from the mask'] * is_coco
    iscrowd = is_set(annotation.get('iscrowd'))
    if iscrowd and _is_cvats(annotation):
        repairs.append(_PAINTED)
        iscrowd = False
    fields = dict(
        image_id=image['id'],
        category_id=category_id,
        bbox=box,
        area=area,
        iscrowd=int(iscrowd),
        segmentation=segmentation,
    )
    return fields, repairs, extent


def _is_cvats(annotation: dict) -> bool:
    """Return whether CVAT wrote an annotation.

    Its `iscrowd` says that the mask was painted, by hand or by SAM, and not outlined:
    https://github.com/cvat-ai/datumaro, plugins/data_formats/coco/exporter.py, `convert_instance`.
    """
    attributes = annotation.get('attributes')
    return isinstance(attributes, dict) and 'occluded' in attributes


def _box_around(extent: Extent, image: dict) -> list[float]:
    x1, y1, x2, y2 = max(extent[0], 0), max(extent[1], 0), *extent[2:]
    return [x1, y1, min(x2, image['width']) - x1, min(y2, image['height']) - y1]


def why_untrained(annotation: dict, image: dict) -> str | None:
    """Return why nothing can be learned from an annotation that can be used, as in mmdetection."""
    x, y, width, height = annotation['bbox']
    if is_set(annotation.get('ignore')):
        return 'marked "ignore"'
    if width < 1 or height < 1:
        return 'with a box of less than a pixel'
    inside_width = min(x + width, image['width']) > max(x, 0)
    inside_height = min(y + height, image['height']) > max(y, 0)
    return None if inside_width and inside_height else 'with a box outside of the image'


def _box(value: object) -> list[float] | None:
    """Return a box (x, y, width, height) of four numbers and some extent, or None."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    numbers = [part if type(part) is float else real_number(part) for part in value]
    box = [number for number in numbers if number is not None]
    if len(box) < 4 or box[2] <= 0 or box[3] <= 0 or not math.isfinite(sum(box)):
        return None
    return box
