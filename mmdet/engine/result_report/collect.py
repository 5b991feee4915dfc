"""From a test to all that its report says: figures as JSON holds them, and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset

import mmdet
from mmdet.engine.config import datasets_of
from mmdet.engine.dataset_report.parts import Part
from mmdet.engine.preflight import image_backend
from mmdet.evaluation.analysis import (
    IOU_THRS,
    Curves,
    ImageScore,
    analyse_errors,
    best_and_worst,
    compare,
    confusion_matrix,
    image_score,
    matches_of,
)
from mmdet.evaluation.coco_metric import CocoMetric, Measured
from mmdet.visualization import DetLocalVisualizer

from .examples import Example, examples, paths_of
from .grid import bounds
from .limits import limits_of
from .numbers import (
    of_classes,
    of_confusion,
    of_errors,
    of_sizes,
    overall,
    precision_recall,
    thresholds_of,
)
from .objects import Objects
from .training import training_of

MADE_BY = 'mmdet-solo test --report'
"""Stands in each page and each file of figures, by which they are told from other people's."""
_BEST, _WORST = 6, 12  # images that are shown
_SIDE = 500  # of an image that is shown, in pixels


class Run(NamedTuple):
    """What was run.

    Attributes:
        config: what to call it.
        checkpoint: path of the file.
        has_views: the network got several of each image, as with test-time augmentation.
        device: on which it ran.
        metrics: what the test reported.
    """

    config: str
    checkpoint: str
    has_views: bool
    device: str
    metrics: Mapping[str, float]


@dataclass
class Report:
    """What the page is made of.

    Attributes:
        figures: what is written as JSON.
        pictures: of the images that `figures` lists as best and worst, what is there on the left
            and what was found on the right; (h, w, 3) uint8 BGR, None where there is no image.
    """

    figures: dict
    pictures: dict[str, list[np.ndarray | None]] = field(default_factory=dict)


def collect(
    metric: CocoMetric,
    results: list[dict],
    dataset: BaseDataset,
    parts: Sequence[Part],
    cfg: Config,
    run: Run,
) -> Report:
    """Look at what a test found, image by image.

    Args:
        metric: that the test was measured by.
        results: what was found, as the metric keeps it.
        dataset: of the test; the images that are shown are read.
        parts: of it, by `read_parts`.
        cfg: of the test, with one view of each image.
        run: what was run.
    """
    measured = metric.measured(results)
    classes = measured.classes
    curves, objects = Curves(len(classes)), Objects()
    scores: list[ImageScore] = []
    images = list(compare(measured))  # the overlaps are looked at three times
    for image in images:
        matches = matches_of(image)
        curves.add(image, matches)
        objects.add(image, matches[IOU_THRS[0]])
        scores.append(image_score(image, matches))
    thresholds = thresholds_of(curves)
    score_thr = thresholds['best']['score_thr'] if thresholds['best'] else 0.0
    chosen = dict(zip(('best', 'worst'), best_and_worst(scores, _BEST, _WORST), strict=True))
    paths = paths_of(dataset)
    matrix = confusion_matrix(images, len(classes), score_thr=score_thr)
    own = overall(metric, run.metrics)
    figures = dict(
        made_by=MADE_BY,
        limits=[],
        run=_run(run),
        data=_data(metric, measured, scores, objects),
        figures=own,
        by_size=of_sizes(own, objects),
        by_class=of_classes(classes, curves, objects, score_thr),
        precision_recall=precision_recall(curves),
        thresholds=thresholds,
        errors=of_errors(analyse_errors(images, classes)),
        confusion=of_confusion(matrix, classes, score_thr),
        images={
            name: [dict(image=paths.get(each.img_id), **each._asdict()) for each in some]
            for name, some in chosen.items()
        },
        grid=bounds(cfg, parts, objects, classes),
        training=training_of(Path(run.checkpoint).parent),
    )
    figures['limits'] = [each._asdict() for each in limits_of(figures)]
    report = Report(figures)
    backend_args = image_backend(next(datasets_of(cfg.test_dataloader), {}))
    for name, some in chosen.items():
        shown = examples(measured, some, paths, side=_SIDE, backend_args=backend_args)
        report.pictures[name] = [_drawn(each, dataset.metainfo, score_thr) for each in shown]
    return report


def _run(run: Run) -> dict:
    libraries = 'torch', 'mmengine', 'pycocotools'
    return dict(
        config=run.config,
        checkpoint=run.checkpoint,
        has_views=run.has_views,
        device=run.device,
        date=datetime.now().astimezone().isoformat(' ', 'seconds'),
        versions={'mmdet-solo': mmdet.__version__, **{name: version(name) for name in libraries}},
    )


def _data(
    metric: CocoMetric, measured: Measured, scores: Sequence[ImageScore], objects: Objects
) -> dict:
    return dict(
        source=metric.ann_file or 'the data set of the test',
        images=len(scores),
        images_without_objects=sum(not each.objects for each in scores),
        objects=len(objects.labels),
        predictions=sum(each.predictions for each in scores),
        classes=len(measured.classes),
        classes_with_objects=len(np.unique(objects.labels)),
    )


def _drawn(example: Example, meta: dict, score_thr: float) -> np.ndarray | None:
    """Return an image with its objects, and beside it with what was found, as BGR."""
    if example.image is None:
        return None
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = meta
    image = example.image[..., ::-1]
    visualizer.add_datasample('', image, example.sample, pred_score_thr=score_thr)
    return np.ascontiguousarray(visualizer.get_image()[..., ::-1])
