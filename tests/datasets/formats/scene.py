"""A small scene with known masks, which the tests write as each format has it."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmdet.datasets import CocoDataset
from mmdet.structures.segmentation import decode_segmentation

CLASSES = ('cat', 'dog', 'old boat')


class Thing(NamedTuple):
    """An object: its label, and its outline as (x, y) in pixels."""

    label: int
    outline: np.ndarray

    def mask(self, height: int, width: int) -> np.ndarray:
        """Return its (height, width) uint8 bitmap, drawn by COCO's rule."""
        return decode_segmentation([self.outline.ravel().tolist()], height, width)


class Picture(NamedTuple):
    """An image of the scene."""

    name: str
    height: int
    width: int
    things: list[Thing]

    def pixels(self) -> np.ndarray:
        """Return (height, width, 3) uint8 BGR: grey, and each object in a shade of its label."""
        pixels = np.full((self.height, self.width, 3), 40, np.uint8)
        for thing in self.things:
            pixels[thing.mask(self.height, self.width) > 0] = 90 + 60 * thing.label
        return pixels


def _polygon(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, float)


def _disc(x: float, y: float, radius: float) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)


SCENE = [
    Picture(
        'a',
        80,
        120,
        [
            Thing(1, _polygon((10, 10), (50, 12), (40, 60))),
            Thing(0, _disc(85, 40, 22)),
            Thing(1, _polygon((2, 65), (30, 65), (30, 78), (2, 78))),
        ],
    ),
    Picture('b', 120, 80, [Thing(2, _polygon((5, 20), (70, 20), (70, 100), (40, 60), (5, 100)))]),
    Picture('c', 64, 64, []),
]


def write_pictures(folder: Path, suffix: str = '.png') -> None:
    """Write the images of the scene."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in SCENE:
        cv2.imwrite(str(folder / f'{picture.name}{suffix}'), picture.pixels())


def assert_is_scene(dataset: CocoDataset, classes: tuple[str, ...] = CLASSES) -> None:
    """See that a data set holds the scene's images, in any order, and their objects in order."""
    assert dataset.metainfo['classes'] == classes
    items = [dataset.get_data_info(index) for index in range(len(dataset))]
    pictures = {picture.name: picture for picture in SCENE}
    assert sorted(Path(item['img_path']).stem for item in items) == sorted(pictures)
    assert len({item['img_id'] for item in items}) == len(items)
    for item in items:
        picture = pictures[Path(item['img_path']).stem]
        assert (item['height'], item['width']) == (picture.height, picture.width)
        assert [classes[each['bbox_label']] for each in item['instances']] == [
            CLASSES[thing.label] for thing in picture.things
        ]
        for instance, thing in zip(item['instances'], picture.things, strict=True):
            size = picture.height, picture.width
            found, wanted = decode_segmentation(instance['mask'], *size), thing.mask(*size)
            assert iou(found, wanted) >= 0.99
            x, y, width, height = cv2.boundingRect(wanted)
            np.testing.assert_allclose(instance['bbox'], [x, y, x + width, y + height], atol=1.5)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Return how much two bitmaps overlap, of 1."""
    return np.count_nonzero(one & other) / max(np.count_nonzero(one | other), 1)
