"""Hand-made data whose figures are known, and a config that reads it."""

import json
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config

from tests.datasets.formats.scene import CLASSES, SCENE, write_pictures


def write_coco(root: Path, part: str, images: list[tuple[str, int, int, list[dict]]]) -> None:
    """Write an annotation file, and make the images' folder.

    Args:
        root: of the data.
        part: the folder, which the file is named after.
        images: the name, the height, the width and the annotations of each.
    """
    annotations = [
        dict(annotation, id=1000 * number + index, image_id=number)
        for number, (*_, own) in enumerate(images, start=1)
        for index, annotation in enumerate(own)
    ]
    content = dict(
        images=[
            dict(id=number, file_name=name, height=height, width=width)
            for number, (name, height, width, _) in enumerate(images, start=1)
        ],
        annotations=annotations,
        categories=[dict(id=10 + label, name=name) for label, name in enumerate(CLASSES)],
    )
    for folder in ('annotations', part):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / f'annotations/instances_{part}.json').write_text(json.dumps(content))


def scene_of(suffix: str = '.png') -> list[tuple[str, int, int, list[dict]]]:
    """Return the scene's images with their annotations, for `write_coco`."""
    return [
        (
            f'{picture.name}{suffix}',
            picture.height,
            picture.width,
            [annotation(thing.label, thing.outline) for thing in picture.things],
        )
        for picture in SCENE
    ]


def annotation(label: int, outline: np.ndarray, **fields: object) -> dict:
    return dict(category_id=10 + label, segmentation=[outline.ravel().tolist()], **fields)


def square(label: int, x: float, y: float, side: float, **fields: object) -> dict:
    """Return the annotation of a square from a corner on."""
    corners = np.array([(0, 0), (side, 0), (side, side), (0, side)], float)
    return annotation(label, corners + np.array((x, y)), **fields)


def write_scene(root: Path) -> None:
    """Write the scene as the training, and one other image as the validation."""
    write_pictures(root / 'train2017')
    write_coco(root, 'train2017', scene_of())
    write_coco(root, 'val2017', [('other.png', 60, 90, [square(0, 20, 20, 30)])])
    cv2.imwrite(str(root / 'val2017/other.png'), noise(3, 60, 90))


def noise(seed: int, height: int, width: int) -> np.ndarray:
    """Return (height, width, 3) uint8: a smooth picture that is like no other seed's."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_mask=True)]
DOUBLED = [*LOAD, dict(type='Resize', scale_factor=2.0), dict(type='PackDetInputs')]
HEAD = dict(
    type='SOLOHead',
    num_classes=len(CLASSES),
    in_channels=8,
    feat_channels=8,
    stacked_convs=1,
    strides=[8, 4],
    num_grids=[8, 4],
    scale_ranges=((1, 64), (48, 150)),
    norm_cfg=dict(type='GN', num_groups=4),
)


def config_of(
    root: Path, *, steps: list[dict] | None = None, head: dict | None = None, **datasets: dict
) -> Config:
    """Return a config that reads `train2017` and, twice, `val2017`, all images doubled in size.

    Args:
        root: of the data.
        steps: of all pipelines, if they are others.
        head: what differs from `HEAD`.
        datasets: what differs in the data set of a stage.
    """

    def loader(stage: str, part: str) -> dict:
        dataset = dict(
            type='CocoDataset',
            data_root=str(root),
            ann_file=f'annotations/instances_{part}.json',
            data_prefix=dict(img=f'{part}/'),
            metainfo=dict(classes=CLASSES),
            pipeline=steps or DOUBLED,
            test_mode=stage != 'train',
        )
        return dict(batch_size=1, dataset=dataset | datasets.get(stage, {}))

    return Config(
        dict(
            model=dict(
                type='SOLO',
                data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
                mask_head={**HEAD, **(head or {})},
            ),
            train_dataloader=loader('train', 'train2017'),
            val_dataloader=loader('val', 'val2017'),
            test_dataloader=loader('test', 'val2017'),
        )
    )
