"""What a folder of somebody's own data holds: its format, classes and parts."""

import json
from collections import Counter
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from mmdet.datasets.coco import CocoDataset
from mmdet.datasets.coco_annotations import PLACE, why_untrained
from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.coco_values import Identifier
from mmdet.datasets.formats.recognise import Recognised, recognise
from mmdet.datasets.split import split_images
from mmdet.errors import UserError
from mmdet.registry import DATASETS
from mmdet.utils.files import write_whole

SHARES = dict(train=0.8, val=0.2)
SEED = 0


class OwnData(NamedTuple):
    """A data set to train on.

    Attributes:
        root: the folder.
        kind: the class that reads its format.
        classes: how many objects to learn there are of each.
        unused: categories that have none, or only in what is to validate.
        parts: of `train` and `val` the dict that a config has for it, without `metainfo`.
        sizes: how many images these parts have.
        was_split: the parts were made here.
        unread: parts of the folder that are in neither of these two.
    """

    root: Path
    kind: str
    classes: dict[str, int]
    unused: list[str]
    parts: dict[str, dict]
    sizes: dict[str, int]
    was_split: bool
    unread: list[str]


def look_into(folder: Path, *, notes: Path) -> OwnData:
    """Find out what a folder holds; where it is not divided, divide it.

    Args:
        folder: in any format that is recognised.
        notes: a folder for the parts that are made here, as annotation files of COCO's.

    Raises:
        UserError: the folder holds nothing that is known, no object, or a single image, or what is
            to validate lacks a category.
    """
    found = recognise(folder)
    whole = 'train' if 'train' in found.parts else next(iter(found.parts))
    coco = _opened(found, whole).read()
    counts = _count_objects(coco)
    if not counts:
        raise UserError(f'{folder}: there is no object to learn in it')
    was_split = not {'train', 'val'} <= set(found.parts)
    categories = [each['name'] for each in coco.categories]
    if was_split:
        parts, sizes = _split(coco, found.config(whole), notes, source=folder)
    else:
        val = _opened(found, 'val').read()
        parts = {part: found.config(part) for part in SHARES}
        sizes = dict(train=len(coco.images), val=len(val.images))
        there = [each['name'] for each in val.categories]
        missing = [name for name in counts if name not in there]
        if missing and found.kind is CocoDataset:
            raise UserError(
                f'{found.root / parts["val"]["ann_file"]} lacks the category {missing[0]!r}, which '
                f'{found.root / parts["train"]["ann_file"]} has: add it to its `categories`'
            )
        categories += there
    return OwnData(
        root=found.root,
        kind=found.kind.__name__,
        classes=counts,
        unused=[name for name in dict.fromkeys(categories) if name not in counts],
        parts=parts,
        sizes=sizes,
        was_split=was_split,
        unread=[part for part in found.parts if part not in ({whole} if was_split else SHARES)],
    )


def _opened(found: Recognised, part: str) -> CocoDataset:
    return DATASETS.build(dict(found.config(part), lazy_init=True))


def _count_objects(coco: CocoFile) -> dict[str, int]:
    """Return how many objects to learn there are of each category that has any, in its order."""
    images = {image['id']: image for image in coco.images}
    counts = Counter(
        each['category_id']
        for each in coco.annotations
        if not each['iscrowd'] and why_untrained(each, images[each['image_id']]) is None
    )
    named = [(each['name'], counts[each['id']]) for each in coco.categories]
    return {name: number for name, number in named if number}


def _split(
    coco: CocoFile, given: dict, notes: Path, *, source: Path
) -> tuple[dict[str, dict], dict[str, int]]:
    if len(coco.images) < len(SHARES):
        raise UserError(f'{source} has one image: some are to train on, and others to validate')
    parts: dict[str, dict] = {}
    sizes: dict[str, int] = {}
    divided = split_images(coco, tuple(SHARES.values()), SEED)
    for part, identifiers in zip(SHARES, divided, strict=True):
        path = notes.resolve() / f'{part}.json'
        write_whole(path, json.dumps(_only(coco, set(identifiers)), ensure_ascii=False).encode())
        prefix = given['data_prefix']
        if not Path(given['data_root'], prefix['img']).is_dir():
            prefix = dict(img='')  # a list of images: each has its whole path
        parts[part] = {
            **given,
            'type': 'CocoDataset',
            'ann_file': str(path),
            'data_prefix': prefix,
        }
        sizes[part] = len(identifiers)
    return parts, sizes


def _only(coco: CocoFile, identifiers: AbstractSet[Identifier]) -> dict:
    """Return what an annotation file with some of the images holds."""
    return dict(
        images=[each for each in coco.images if each['id'] in identifiers],
        annotations=[
            {key: each[key] for key in each if key != PLACE}
            for each in coco.annotations
            if each['image_id'] in identifiers
        ],
        categories=coco.categories,
    )
