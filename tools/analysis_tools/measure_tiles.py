"""Mask AP of a detector of shapes on large images: seen whole, and tile by tile.

python tools/analysis_tools/measure_tiles.py CHECKPOINT [--tile 256 320] [--overlaps 0.25 0.4]
"""

import argparse
import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet.apis import infer, infer_tiled, inference_pipeline, load_detector
from mmdet.apis.inference import compose_for_images
from mmdet.cli.program import run
from mmdet.datasets.shapes_image import CLASSES, draw_image
from mmdet.engine.config import datasets_of
from mmdet.structures import DetDataSample

SIZE = (960, 1280)  # of the images: 16 of those that the model was trained with
MAX_OBJECTS = 192
_MANY = 2000  # instances of an image that count; COCO's 100 are fewer than there are objects


@dataclass(frozen=True)
class Scene:
    """Large images, and what is in them in COCO's form."""

    images: list[np.ndarray]
    annotations: list[dict]


def draw_scene(number: int) -> Scene:
    """Draw some images."""
    images: list[np.ndarray] = []
    annotations: list[dict] = []
    for index in range(number):
        rng = np.random.default_rng([7, index])
        image, labels, masks = draw_image(rng, size=SIZE, max_objects=MAX_OBJECTS)
        images.append(image)
        for label, mask in zip(labels, masks, strict=True):
            rle = coco_mask.encode(np.asfortranarray(mask))
            annotations.append(
                dict(
                    _instance(index, label, rle),
                    id=len(annotations) + 1,
                    iscrowd=0,
                    area=int(mask.sum()),
                    bbox=coco_mask.toBbox(rle).tolist(),
                )
            )
    return Scene(images, annotations)


def _instance(index: int, label: int, rle: dict) -> dict:
    segmentation = {**rle, 'counts': rle['counts'].decode()}
    return dict(image_id=index + 1, category_id=label + 1, segmentation=segmentation)


def measure(find: Callable[[np.ndarray], DetDataSample], scene: Scene) -> tuple[float, float]:
    """Return mask AP and AP50 of what `find` finds."""
    detections: list[dict] = []
    for index, image in enumerate(scene.images):
        found = find(image).pred_instances
        for score, label, rle in zip(
            found.scores.tolist(), found.labels.tolist(), found.masks.rles, strict=True
        ):
            detections.append(dict(_instance(index, label, rle), score=score))
    sizes = [dict(id=i + 1, height=SIZE[0], width=SIZE[1]) for i in range(len(scene.images))]
    categories = [dict(id=label + 1, name=name) for label, name in enumerate(CLASSES)]
    truth = COCO()
    truth.dataset = dict(images=sizes, annotations=scene.annotations, categories=categories)
    with redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(detections), 'segm')
        evaluation.params.maxDets = [10, 100, _MANY]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval['precision'][..., 0, -1]  # IoU thresholds, recalls, classes
    return _mean(precision), _mean(precision[0])


def _mean(precision: np.ndarray) -> float:
    return float(precision[precision > -1].mean())


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description='Measure tiled inference on large images')
    parser.add_argument('checkpoint', help='of a model of shapes')
    parser.add_argument('--images', type=int, default=6, metavar='N', help='how many (default: 6)')
    parser.add_argument('--tile', type=int, nargs=2, default=(256, 320), metavar=('H', 'W'))
    parser.add_argument('--overlaps', type=float, nargs='+', default=[0.0, 0.25, 0.4, 0.6])
    args = parser.parse_args(argv)
    model = load_detector(args.checkpoint)
    scene = draw_scene(args.images)
    print(f'{len(scene.images)} images of {SIZE}, {len(scene.annotations)} objects')
    at_scale = inference_pipeline(model.cfg)
    steps = next(datasets_of(model.cfg.test_dataloader))['pipeline']
    small = dict(type='Resize', scale=tuple(args.tile)[::-1], keep_ratio=True)
    scaled = compose_for_images([steps[0], small, *steps[1:]])
    runs: dict[str, Callable[[np.ndarray], DetDataSample]] = {
        'whole': lambda image: infer(model, [image], at_scale)[0],
        'whole, scaled down to a tile': lambda image: infer(model, [image], scaled)[0],
    }
    for overlap in args.overlaps:
        runs[f'tiles, overlap {overlap}'] = partial(
            infer_tiled, model, tile=tuple(args.tile), overlap=overlap
        )
    for name, find in runs.items():
        ap, ap50 = measure(find, scene)
        print(f'{name:30} AP {ap:.3f}  AP50 {ap50:.3f}', flush=True)


if __name__ == '__main__':
    torch.set_num_threads(1)
    run(main)
