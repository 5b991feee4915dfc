"""Writing COCO's format: `annotations/instances_PART.json`, and a folder of images a part."""

import json
from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets.coco_annotations import PLACE
from mmdet.datasets.findings import Findings

from .collection import Collection, Picture
from .out_folder import put_image


def write_coco(collection: Collection, folder: Path, *, link: bool) -> Findings:
    """Write a data set; all that it has is kept.

    Ids of images and annotations stay where they are whole numbers, and each is one's alone in its
    part; or else they count from 1.

    Args:
        collection: the data set.
        folder: an empty one.
        link: make hard links to the images.

    Returns:
        What was left out, or changed: nothing.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    (folder / 'annotations').mkdir()
    ids = [category['id'] for category in collection.categories]
    for part, pictures in collection.parts.items():
        for picture in pictures:
            put_image(picture.path, folder / part / picture.image['file_name'], link=link)
        content = dict(
            images=with_own_ids([picture.image for picture in pictures]),
            annotations=[],
            categories=collection.categories,
        )
        content['annotations'] = _annotations(pictures, content['images'], ids)
        path = folder / 'annotations' / f'instances_{part}.json'
        with path.open('w', encoding='utf-8') as file:
            json.dump(content, file, ensure_ascii=False)
    return Findings()


def _annotations(
    pictures: Sequence[Picture], images: Sequence[dict], category_ids: Sequence[int]
) -> list[dict]:
    annotations = [
        {**each, 'image_id': image['id'], 'category_id': category_ids[each['category_id']]}
        for picture, image in zip(pictures, images, strict=True)
        for each in picture.annotations
    ]
    for annotation in annotations:
        annotation.pop(PLACE, None)
    return with_own_ids(annotations)


def with_own_ids(entries: Sequence[dict]) -> list[dict]:
    """Return entries whose ids are whole numbers from 1 on and theirs alone, counted if need be."""
    ids = [entry.get('id') for entry in entries]
    # pycocotools takes an annotation of id 0 for none.
    if all(type(each) is int and each > 0 for each in ids) and len(set(ids)) == len(ids):
        return list(entries)
    return [{**entry, 'id': number} for number, entry in enumerate(entries, 1)]
