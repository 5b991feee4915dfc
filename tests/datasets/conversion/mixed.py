"""A small data set in COCO's format with all that another format may not hold."""

import json
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from mmdet.datasets import CocoDataset
from mmdet.datasets.conversion.collection import Collection, collect
from mmdet.datasets.formats.recognise import recognise
from mmdet.structures.segmentation import decode_segmentation, json_rle
from tests.datasets.formats.scene import iou
from tests.samples import rectangle

HEIGHT, WIDTH = 60, 80
CLASSES = ('cat', 'dog', 'alte Möwe')


def rle(mask: np.ndarray) -> dict:
    return json_rle(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))))


def box(x1: float, y1: float, x2: float, y2: float) -> list[float]:
    return [x1, y1, x2, y1, x2, y2, x1, y2]


def bitmap(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """The first box without the others."""
    first, *others = (rectangle(HEIGHT, WIDTH, each).astype(bool) for each in boxes)
    for other in others:
        first = first & ~other
    return first


RING = bitmap((40, 5, 75, 40), (50, 15, 60, 30))
DISC = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (20, 40), 14, 1, -1)

# What each is: its category, segmentation, and whether it is a crowd.
OBJECTS = dict(
    plain=(7, [[3.2, 4.4, 30.6, 2.8, 20.4, 25.2]], 0),
    tiny=(3, [[70.1, 50.3, 72.9, 50.1, 72.7, 53.3]], 0),
    parts=(9, [box(2, 30, 12, 40), box(20, 30, 30.5, 44), box(5, 50, 9, 58)], 0),
    overlapping=(9, [box(35, 42, 60, 50), box(45, 45, 70, 58)], 0),
    beyond=(3, [[60.0, -8.0, 95.0, 20.0, 70.0, 30.0]], 0),
    ring=(7, rle(RING), 0),
    disc=(3, rle(DISC), 0),
    specks=(7, rle(np.indices((HEIGHT, WIDTH)).sum(0) % 9 == 0), 0),
    crowd=(7, rle(bitmap((0, 0, 30, 30))), 1),
    again=(7, [[3.2, 4.4, 30.6, 2.8, 20.4, 25.2]], 0),
)


def write_mixed(folder: Path, names: tuple[str, ...] = ('a.png', 'b.png')) -> Path:
    """Write it, all objects in the first image; the last class has an unused twin."""
    (folder / 'images').mkdir(parents=True)
    images = [
        dict(id=number, file_name=name, height=HEIGHT, width=WIDTH, license=number)
        for number, name in enumerate(names, 5)
    ]
    for image in images:
        path = folder / 'images' / image['file_name']
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), image['id'], np.uint8))
    content = dict(
        images=images,
        annotations=[
            dict(
                id=number,
                image_id=5,
                category_id=category,
                segmentation=segmentation,
                iscrowd=iscrowd,
                note=what,
            )
            for number, (what, (category, segmentation, iscrowd)) in enumerate(OBJECTS.items(), 11)
        ],
        categories=[
            *(dict(id=key, name=name) for key, name in zip((7, 3, 9), CLASSES, strict=True)),
            dict(id=1, name=CLASSES[2]),
        ],
    )
    (folder / 'result.json').write_text(json.dumps(content))
    return folder


def opened(folder: Path) -> dict[str, CocoDataset]:
    root, kind, parts = recognise(folder)
    return {name: kind(data_root=str(root), lazy_init=True, **part) for name, part in parts.items()}


def read(folder: Path) -> Collection:
    return collect(opened(folder))


def masks(collection: Collection, part: str = 'train') -> list[tuple[str, np.ndarray]]:
    """The class and the mask of each object of a part, but of crowds."""
    return [
        (
            collection.classes[each['category_id']],
            decode_segmentation(
                each['segmentation'], picture.image['height'], picture.image['width']
            ),
        )
        for picture in collection.parts[part]
        for each in picture.annotations
        if not each['iscrowd']
    ]


def assert_same(first: list[tuple[str, np.ndarray]], second: list[tuple[str, np.ndarray]]) -> None:
    assert [name for name, _ in first] == [name for name, _ in second]
    for (name, one), (_, other) in zip(first, second, strict=True):
        assert iou(one, other) >= 0.99, name
