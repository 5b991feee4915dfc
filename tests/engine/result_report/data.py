"""A test of hand-made images whose figures are known."""

import json
from pathlib import Path

import cv2
from mmengine.config import Config

from mmdet.structures.segmentation import as_rle, json_rle
from tests.datasets.formats.scene import SCENE, write_pictures
from tests.engine.dataset_report.data import config_of, noise, scene_of, square, write_coco


def write_test(root: Path, model: dict) -> Config:
    """Write the scene, and another image of its first one's name; return a config of their test.

    Args:
        root: of the data.
        model: of the config.
    """
    write_coco(root, 'val2017', [*scene_of(), ('deep/a.png', 60, 90, [square(0, 20, 20, 30)])])
    write_pictures(root / 'val2017')
    (root / 'val2017/deep').mkdir()
    cv2.imwrite(str(root / 'val2017/deep/a.png'), noise(0, 60, 90))
    loader = config_of(root).test_dataloader
    ann_file = str(root / 'annotations/instances_val2017.json')
    return Config(
        dict(
            model=model,
            test_dataloader={**loader, 'sampler': dict(type='DefaultSampler', shuffle=False)},
            test_evaluator=dict(type='CocoMetric', ann_file=ann_file),
            test_cfg={},
        )
    )


def write_results(path: Path) -> None:
    """Write as COCO's results, with falling scores, all objects of the scene but the cat.

    So both dogs of `a` are found, the old boat of `b`, nothing in `c`, which has no object, and
    nothing in the other image, which has a cat, too.
    """
    things = [
        (number, thing.label, as_rle([thing.outline.ravel().tolist()], image.height, image.width))
        for number, image in enumerate(SCENE, start=1)
        for thing in image.things
    ]
    found = [
        dict(
            image_id=image,
            category_id=10 + label,
            score=round(0.9 - index / 10, 1),
            segmentation=json_rle(rle),
        )
        for index, (image, label, rle) in enumerate(things)
        if label
    ]
    path.write_text(json.dumps(found))
