"""Writing Ultralytics' YOLO segmentation format.

https://docs.ultralytics.com/datasets/segment/: a line for each object, one polygon. So the parts
of an object are joined by lines there and back, which have no area, as Ultralytics' own converter
does, and a hole is cut open in the same way.
"""

from pathlib import Path

import numpy as np
import yaml

from mmdet.datasets.coco_annotations import place
from mmdet.datasets.findings import LEFT_OUT, NOTICED, Findings
from mmdet.datasets.formats.yolo import label_file
from mmdet.datasets.image_file import IMAGE_SUFFIXES
from mmdet.structures.segmentation import Segmentation
from mmdet.structures.yolo import yolo_line

from .collection import Collection, Picture
from .objects import is_object
from .out_folder import put_image
from .polygons import MIN_IOU, has_hole, one_polygon, overlap

_DIGITS = (6, 17)  # Ultralytics', and all that a number has: for small objects they matter


def write_yolo(collection: Collection, folder: Path, *, link: bool) -> Findings:
    """Write a data set: `data.yaml`, `images/PART`, `labels/PART`.

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
    for part, pictures in collection.parts.items():
        for picture in pictures:
            if not picture.image['file_name'].lower().endswith(IMAGE_SUFFIXES):
                what = 'images whose ending says no format, which readers of YOLO pass over'
                findings.add(LEFT_OUT, what, picture.path)
                continue
            name = Path('images', part, picture.image['file_name'])
            put_image(picture.path, folder / name, link=link)
            path = folder / label_file(str(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(''.join(f'{line}\n' for line in _lines(picture, findings)))
    # Without `path` Ultralytics begins at the file's own folder.
    settings = {part: f'images/{part}' for part in collection.parts}
    text = yaml.safe_dump(
        {**settings, 'names': dict(enumerate(collection.classes))},
        allow_unicode=True,
        sort_keys=False,
    )
    (folder / 'data.yaml').write_text(text, encoding='utf-8')
    return findings


def _lines(picture: Picture, findings: Findings) -> list[str]:
    size = picture.image['height'], picture.image['width']
    lines: list[str] = []
    for annotation in picture.annotations:
        if not is_object(annotation, findings):
            continue
        segmentation = annotation['segmentation']
        line, iou = _line(annotation['category_id'], segmentation, size)
        where = place(annotation)
        if line in lines:
            findings.add(LEFT_OUT, 'that are the same as another one', where)
            continue
        lines.append(line)
        if iou < MIN_IOU:
            what = f'masks that are kept to an IoU below {MIN_IOU}'
            findings.add(NOTICED, what, f'{where}, {iou:.2f}')
        if isinstance(segmentation, list):
            if len(segmentation) > 1:
                findings.add(NOTICED, 'objects of several parts, joined by lines', where)
        elif has_hole(segmentation, *size):
            findings.add(NOTICED, 'holes, cut open along a line', where)
        else:
            findings.add(NOTICED, 'masks of pixels, traced', where)
    return lines


def _line(label: int, segmentation: Segmentation, size: tuple[int, int]) -> tuple[str, float]:
    """Return the plainest line that has the mask, or else the best; and its IoU."""
    best = '', -1.0
    for polygon in one_polygon(segmentation, *size):
        for digits in _DIGITS:
            line = yolo_line(label, polygon, size, digits=digits)
            iou = overlap(segmentation, [_read(line, size)], *size)
            if iou >= MIN_IOU:
                return line, iou
            best = max(best, (line, iou), key=lambda found: found[1])
    return best


def _read(line: str, size: tuple[int, int]) -> np.ndarray:
    """Return a line's polygon as our reader has it, to the last bit."""
    height, width = size
    shares = np.array(line.split()[1:], float).reshape(-1, 2)
    return shares * (width, height)
