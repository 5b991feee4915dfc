"""Writing labelme's format: a JSON file beside each image; see `structures/labelme.py`."""

import json
from pathlib import Path

import numpy as np

from mmdet.datasets.coco_annotations import place
from mmdet.datasets.findings import NOTICED, Findings
from mmdet.structures.labelme import labelme_content, mask_shape, polygon_shapes
from mmdet.structures.segmentation import decode_segmentation

from .collection import Collection, Picture
from .objects import is_object
from .out_folder import put_image
from .polygons import polygon_parts


def write_labelme(collection: Collection, folder: Path, *, link: bool) -> Findings:
    """Write a data set: a folder for each part, and `labels.txt`, which names the classes.

    Polygons stay as they are. A mask of pixels becomes polygons, or, with a hole, labelme's mask.

    Args:
        collection: the data set.
        folder: an empty one.
        link: make hard links to the images.

    Returns:
        What was left out, or changed.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    findings = Findings()
    classes = collection.classes
    for part, pictures in collection.parts.items():
        for picture in pictures:
            path = folder / part / picture.image['file_name']
            put_image(picture.path, path, link=link)
            size = picture.image['height'], picture.image['width']
            content = labelme_content(_shapes(picture, classes, findings), path.name, size)
            text = json.dumps(content, ensure_ascii=False, indent=2)
            path.with_suffix('.json').write_text(text, encoding='utf-8')
    (folder / 'labels.txt').write_text(''.join(f'{name}\n' for name in classes), encoding='utf-8')
    return findings


def _shapes(picture: Picture, classes: list[str], findings: Findings) -> list[dict]:
    size = picture.image['height'], picture.image['width']
    shapes: list[dict] = []
    for number, annotation in enumerate(picture.annotations):
        if not is_object(annotation, findings):
            continue
        label = classes[annotation['category_id']]
        segmentation = annotation['segmentation']
        if isinstance(segmentation, list):
            polygons = [np.array(part, float).reshape(-1, 2) for part in segmentation]
        else:
            polygons = polygon_parts(segmentation, *size)
            if polygons is None:
                shapes.append(mask_shape(label, decode_segmentation(segmentation, *size)))
                continue
            findings.add(NOTICED, 'masks of pixels, traced', place(annotation))
        shapes += polygon_shapes(label, polygons, number if len(polygons) > 1 else None)
    return shapes
