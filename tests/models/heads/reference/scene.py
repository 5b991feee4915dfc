"""Three small images, with the instances on which implementations differ."""

from dataclasses import dataclass

import numpy as np

# What a level takes, and how finely: small, so that small images have instances on every level.
SCALE_RANGES = ((1, 24), (12, 48), (24, 96), (48, 192), (96, 512))
NUM_GRIDS = (12, 10, 8, 6, 4)
NUM_CLASSES = 5


@dataclass
class Scene:
    """An image and its instances.

    Attributes:
        image: (3, H, W) uint8, BGR.
        masks: (N, H, W) uint8.
        labels: (N,) class indices.
        bboxes: (N, 4) xyxy.
        ori_shape: (height, width) of the image before it was resized to (H, W).
    """

    image: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    bboxes: np.ndarray
    ori_shape: tuple[int, int]


def scenes() -> list[Scene]:
    """Return a crowded image, one without instances, and an ordinary one."""
    crowded = [
        (1, (8, 8, 32, 32)),  # 24 pixels: at the end of two ranges, inside a third
        (1, (60, 30, 100, 70)),
        (2, (70, 40, 90, 60)),  # the same centre: both claim a cell
        (0, (0, 0, 120, 90)),  # claims several cells
        (4, (54, 38, 75, 59)),  # its centre, (64, 48), is on the cells' edges
        (3, (104, 74, 120, 90)),  # in the last cell
        (3, (20, 50, 50, 80)),  # its mask is empty
        (0, (2, 60, 3, 61)),  # one pixel
    ]
    ordinary = [(2, (10, 12, 60, 44)), (3, (50, 5, 90, 58)), (0, (70, 40, 82, 52))]
    scenes = [
        _scene((90, 120), (144, 192), crowded),
        _scene((96, 96), (96, 96), []),
        _scene((60, 96), (75, 120), ordinary),
    ]
    scenes[0].masks[6] = 0
    # An L: its centre of mass is not its box's centre.
    scenes[2].masks[0, 12:34, 20:60] = 0
    return scenes


def _scene(
    shape: tuple[int, int],
    ori_shape: tuple[int, int],
    instances: list[tuple[int, tuple[int, int, int, int]]],
) -> Scene:
    height, width = shape
    y, x = np.mgrid[:height, :width]
    image = np.stack([2 * x + y, x + 2 * y + 60, 220 - x - y]) % 256
    masks = np.zeros((len(instances), height, width), np.uint8)
    for mask, (label, (x1, y1, x2, y2)) in zip(masks, instances, strict=True):
        mask[y1:y2, x1:x2] = 1
        image[:, y1:y2, x1:x2] = np.array([40 * label + 30, 250 - 50 * label, 90])[:, None, None]
    return Scene(
        image=image.astype(np.uint8),
        masks=masks,
        labels=np.array([label for label, _ in instances], np.int64),
        bboxes=np.array([box for _, box in instances], np.float32).reshape(-1, 4),
        ori_shape=ori_shape,
    )
