"""Scenes of rectangles: what there is to find, and what was found."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmdet.evaluation import CocoMetric
from mmdet.evaluation.coco_metric import Measured
from mmdet.structures import RLEMasks
from mmdet.structures.segmentation import Segmentation, as_rle

HEIGHT, WIDTH = 200, 300
Box = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels"""


class Thing(NamedTuple):
    """An object to find."""

    label: int
    box: Box
    crowd: bool = False


class Found(NamedTuple):
    """A prediction."""

    label: int
    box: Box
    score: float


Image = tuple[Sequence[Thing], Sequence[Found]]


def polygon(box: Box) -> Segmentation:
    x1, y1, x2, y2 = box
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def rle_of(box: Box) -> dict:
    return as_rle(polygon(box), HEIGHT, WIDTH)


def results_of(images: Sequence[Image]) -> list[dict]:
    """Return images, of ids 10, 11 ..., as `CocoMetric.measured` without a file takes them."""
    return [
        dict(
            img_id=img_id,
            scores=[each.score for each in found],
            labels=[each.label for each in found],
            rles=[rle_of(each.box) for each in found],
            truth=dict(
                ori_shape=(HEIGHT, WIDTH),
                instances=[
                    dict(
                        bbox=list(thing.box),
                        bbox_label=thing.label,
                        mask=polygon(thing.box),
                        ignore_flag=int(thing.crowd),
                    )
                    for thing in things
                ],
            ),
        )
        for img_id, (things, found) in enumerate(images, start=10)
    ]


def figures_of(metric: CocoMetric, images: Sequence[Image]) -> dict[str, float]:
    """Return what a metric computes of images."""
    for each in results_of(images):
        masks = RLEMasks(each['rles'], HEIGHT, WIDTH)
        found = dict(scores=np.array(each['scores']), labels=np.array(each['labels']), masks=masks)
        metric.process({}, [dict(img_id=each['img_id'], pred_instances=found, **each['truth'])])
    return metric.compute_metrics(metric.results)


def metric_of(classes: int, iou_thr: float | None = None) -> CocoMetric:
    metric = CocoMetric(iou_thrs=iou_thr, classwise=True)
    metric.dataset_meta = dict(classes=tuple('abcdefgh'[:classes]))
    return metric


def measured_of(images: Sequence[Image], classes: int = 2) -> Measured:
    return metric_of(classes).measured(results_of(images))


def random_images(
    number: int = 12, classes: int = 3, seed: int = 0, *, crowds: bool = True
) -> list[Image]:
    """Return images whose objects are found well, badly, twice, as another class or not at all."""
    rng = np.random.default_rng(seed)

    def box(largest: int) -> Box:
        width, height = rng.integers(6, largest, 2)
        x, y = rng.integers(0, WIDTH - width), rng.integers(0, HEIGHT - height)
        return int(x), int(y), int(x + width), int(y + height)

    images: list[Image] = []
    for _ in range(number):
        things = [
            Thing(int(rng.integers(classes)), box(170), bool(crowds and rng.random() < 0.15))
            for _ in range(rng.integers(0, 7))
        ]
        found: list[Found] = []
        for thing in things:
            for _ in range(rng.integers(0, 4)):
                shift = rng.integers(-8, 9, 4)
                x1, y1, x2, y2 = np.clip(np.add(thing.box, shift), 0, [WIDTH, HEIGHT] * 2).tolist()
                label = thing.label if rng.random() < 0.7 else int(rng.integers(classes))
                moved = x1, y1, max(x2, x1 + 3), max(y2, y1 + 3)
                found.append(Found(label, moved, float(rng.integers(1, 50)) / 50))
        found += [
            Found(int(rng.integers(classes)), box(80), float(rng.random()))
            for _ in range(rng.integers(0, 4))
        ]
        images.append((things, found))
    return images
