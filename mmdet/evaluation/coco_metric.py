"""COCO's mask AP, straight from RLEs in memory."""

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from pycocotools import mask as coco_mask
from terminaltables import AsciiTable

from mmdet.datasets.coco_file import CocoFile, category_labels, read_coco_file
from mmdet.datasets.coco_values import Identifier
from mmdet.errors import UserError
from mmdet.registry import METRICS
from mmdet.structures.segmentation import areas_of, json_rle

from .truth import by_classes, truth_of_file, truth_of_samples

Metric = Literal['segm', 'bbox']

# COCO's twelve figures in COCO's order, by mmdetection's names
FIGURES = (
    *('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l'),
    *('AR@1', 'AR@10', 'AR@100', 'AR_s@100', 'AR_m@100', 'AR_l@100'),
)
MAX_DETECTIONS = 100  # of a class in an image


class Measured(NamedTuple):
    """What a metric computes its figures of.

    Attributes:
        truth: what there is to find, as the engine has it; its categories are the labels + 1.
        classes: the names of the labels.
        category_ids: what the annotation file calls each label.
        image_numbers: what the engine calls each image, by the image's id.
        results: an entry for each image that was looked at, `img_id`, `scores`, `labels`, `rles`.
        max_detections: so many of a class in an image count, those of the highest scores.
    """

    truth: COCO
    classes: tuple[str, ...]
    category_ids: Sequence[Identifier]
    image_numbers: Mapping[Identifier, int]
    results: list[dict]
    max_detections: int


@METRICS.register_module()
class CocoMetric(BaseMetric):
    """COCO's twelve figures, and AP per class if asked for.

    Each image counts once, also where distributed testing saw it twice; crowd regions and images
    without a prediction count as COCO says. What is wrong in the annotation file is repaired, left
    out or refused as `mmdet/datasets/coco_file.py` says: what is left out there is nothing to find
    here, and a detection of it is wrong. The engine is faster-coco-eval.

    Without an annotation file it measures against the instances of the samples, whatever the format
    that the data set reads: `PackDetInputs` of the test's pipeline has to hand them over. The
    figures are the same, but for sizes, which are then the masks' and not what a file says, and for
    what the data set does not train on, such as boxes of less than a pixel, which does not count.

    Args:
        ann_file: the annotation file to measure against; without one, the samples' `instances`.
        metric: `segm`, or also `bbox`: boxes around the predicted masks.
        classwise: log AP per class, and report it as `<metric>_mAP_<class>`.
        iou_thrs: one threshold or several instead of COCO's 0.5, 0.55 ... 0.95; a figure at a
            threshold that is not among them is -1.
        metric_items: names out of `FIGURES` to report, such as `mAP`; all of them if None.
        format_only: write the results and compute nothing; needs `outfile_prefix`.
        outfile_prefix: write the results in COCO's format to `<outfile_prefix>.segm.json`.
        result_file: write them to this file.
        backend_args: of mmengine's storage backend, if `ann_file` is not on a local disk.
        prefix: of the names that are reported.
        collect_device: `cpu` or `gpu`, over which processes send their results to the first.
    """

    default_prefix = 'coco'
    figures: tuple[str, ...] = FIGURES
    max_detections = MAX_DETECTIONS

    def __init__(
        self,
        ann_file: str | None = None,
        metric: str | Sequence[str] = 'segm',
        classwise: bool = False,
        iou_thrs: float | Sequence[float] | None = None,
        metric_items: Sequence[str] | None = None,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        result_file: str | None = None,
        backend_args: dict | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        wanted = [metric] if isinstance(metric, str) else list(metric)
        unknown = set(wanted) - {'segm', 'bbox'}
        if unknown:
            raise UserError(
                f"{type(self).__name__} has no metric {min(unknown)!r}; known are 'segm', 'bbox'"
            )
        self.metrics: list[Metric] = ['bbox' if name == 'bbox' else 'segm' for name in wanted]
        unknown = set(metric_items or ()) - set(self.figures)
        if unknown:
            raise UserError(
                f'{type(self).__name__} has no metric_items {min(unknown)!r}; known are '
                f'{", ".join(self.figures)}'
            )
        if result_file is None and outfile_prefix is not None:
            result_file = f'{outfile_prefix}.segm.json'
        if format_only and result_file is None:
            raise UserError(f'{type(self).__name__} with format_only needs outfile_prefix')
        self.ann_file = ann_file
        self.classwise = classwise
        self.iou_thrs = None if iou_thrs is None else np.array(iou_thrs, float).reshape(-1)
        self.metric_items = tuple(metric_items or self.figures)
        self.format_only = format_only
        self.result_file = result_file
        self.backend_args = backend_args
        self._truth: COCO | None = None
        self._category_ids: Sequence[Identifier] = ()  # of each label, as the file has them
        self._image_numbers: dict[Identifier, int] = {}  # what the engine calls each image

    def prepare(self) -> None:
        """Read the annotation file and match its categories with `dataset_meta['classes']`.

        Evaluating does it if need be; called before, it finds out what is wrong while nothing is
        lost yet. It does nothing a second time, nor in other processes than the first, which
        evaluates for all.

        Raises:
            UserError: the file is missing or refused, or lacks a class.
        """
        if not self.ann_file or self._truth is not None or not is_main_process():
            return
        coco = self._read(self.ann_file)
        labels = category_labels(coco, self._classes())
        coco.say_findings()
        self._category_ids = list(labels)
        self._image_numbers = {
            image['id']: number for number, image in enumerate(coco.images, start=1)
        }
        self._truth = self._truth_in(coco, labels)

    def reported(self) -> list[str]:
        """Return the names of what it reports; it needs `dataset_meta`."""
        if self.format_only:
            return []
        by_class = (f'{self.figures[0]}_{name}' for name in self._classes() if self.classwise)
        items = [*self.metric_items, *by_class]
        return [f'{self.prefix}/{metric}_{item}' for metric in self.metrics for item in items]

    def _read(self, path: str) -> CocoFile:
        return read_coco_file(path, self.backend_args)

    def _truth_in(self, coco: CocoFile, labels: Mapping[Identifier, int]) -> COCO:
        """Return what there is to find; `labels` are those of the categories' ids, in order."""
        return truth_of_file(coco, labels, self._image_numbers)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep each image's id, scores, labels and RLEs, and what there was to find.

        Raises:
            UserError: there is no annotation file, and a sample has no `instances`.
        """
        for sample in data_samples:
            found = sample['pred_instances']
            self.results.append(
                dict(
                    img_id=sample['img_id'],
                    scores=found['scores'].tolist(),
                    labels=found['labels'].tolist(),
                    rles=found['masks'].rles,
                    truth=None if self.ann_file else _truth_of(sample),
                )
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return the figures; -1 where there is nothing to find, 0 where there are no images."""
        truth, results = self._taken(results)
        if self.result_file:
            _write_results(results, self._category_ids, self.result_file)
        if self.format_only:
            return {}
        detections = _detections(self._counted(results))
        if not detections:
            why = 'nothing was detected' if self._image_numbers else 'there are no images'
            logger = MMLogger.get_current_instance()
            logger.warning(
                f'{self.ann_file or "the data set"}: {why}, so that there is nothing to score'
            )
        figures: dict[str, float] = {}
        for metric in self.metrics:
            figures |= self._evaluate(metric, truth, detections)
        return figures

    def measured(self, results: list[dict]) -> Measured:
        """Return what the figures are computed of, for what else is to be told of it.

        Args:
            results: as `process` keeps them.

        Raises:
            UserError: as `prepare`, and where an image was predicted that the file does not have.
        """
        truth, results = self._taken(results)
        return Measured(
            truth,
            tuple(self._classes()),
            self._category_ids,
            self._image_numbers,
            self._counted(results),
            self.max_detections,
        )

    def _taken(self, results: list[dict]) -> tuple[COCO, list[dict]]:
        """Return what there is to find, and the results, once for each image."""
        if self.ann_file:
            self.prepare()
        else:
            self._take_truth(results)
        results = list({result['img_id']: result for result in results}.values())
        predicted = {result['img_id'] for result in results if result['scores']}
        strangers = predicted - self._image_numbers.keys()
        if strangers:
            raise UserError(
                f'{self.ann_file} has no image {strangers.pop()!r}, which was predicted; '
                'the evaluator and the data set must name the same annotation file'
            )
        assert self._truth is not None  # only the first process evaluates
        return self._truth, results

    def _counted(self, results: list[dict]) -> list[dict]:
        """Return what of the results counts."""
        return results

    def _take_truth(self, results: list[dict]) -> None:
        truths = {result['img_id']: result['truth'] for result in results}
        self._category_ids = range(1, len(self._classes()) + 1)
        self._image_numbers = {img_id: number for number, img_id in enumerate(truths, start=1)}
        self._truth = truth_of_samples(truths, self._classes(), self._image_numbers)

    def _classes(self) -> Sequence[str]:
        assert self.dataset_meta is not None  # mmengine's loops say it before anything else
        return self.dataset_meta['classes']

    def _evaluate(self, metric: Metric, truth: COCO, detections: list[dict]) -> dict[str, float]:
        if not self._image_numbers:
            classes = self._classes() if self.classwise else ()
            names = (*self.metric_items, *(f'{self.figures[0]}_{name}' for name in classes))
            return {f'{metric}_{name}': 0.0 for name in names}
        found = _found(metric, truth, detections, self._image_numbers)
        stats, by_class = self._measure(metric, truth, found)
        figures = {f'{metric}_{name}': stats[name] for name in self.metric_items}
        logger = MMLogger.get_current_instance()
        logger.info('\n' + _table(('figure', 'value'), figures, columns=2))
        if self.classwise:
            names = self._classes()
            aps = dict(zip(names, by_class, strict=True))
            logger.info('\n' + _table(('class', f'{metric} AP'), aps, columns=3))
            figures |= {f'{metric}_{self.figures[0]}_{name}': ap for name, ap in aps.items()}
        return figures

    def _measure(
        self, metric: Metric, truth: COCO, found: COCO
    ) -> tuple[dict[str, float], list[float]]:
        """Return all figures, and the AP of each class; -1 where there is nothing to find."""
        evaluation = COCOeval_faster(iouType=metric, print_function=say_nothing)
        if self.iou_thrs is not None:
            evaluation.params.iouThrs = self.iou_thrs
        parts: list[dict] = []
        for some_truth, some_found in by_classes(truth, found):
            evaluation.cocoGt, evaluation.cocoDt = some_truth, some_found
            evaluation.params.imgIds = some_truth.getImgIds()
            evaluation.params.catIds = some_truth.getCatIds()
            evaluation.evaluate()
            evaluation.accumulate()
            parts.append(evaluation.eval)
        # (IoU thresholds, recalls, classes, areas, numbers of detections), and without the recalls
        evaluation.eval['precision'] = np.concatenate([each['precision'] for each in parts], 2)
        evaluation.eval['recall'] = np.concatenate([each['recall'] for each in parts], 1)
        evaluation.summarize()
        stats = dict(zip(FIGURES, map(float, evaluation.stats), strict=True))
        precision = evaluation.eval['precision'][..., 0, -1]
        return stats, [mean_of(values) for values in np.moveaxis(precision, 2, 0)]


def mean_of(values: np.ndarray) -> float:
    """Return the mean of figures but for -1, nothing to find; -1 if they are all that."""
    measured = values[values > -1]
    return float(measured.mean()) if measured.size else -1.0


def say_nothing(*_: object) -> None:
    """Print nothing of what the engine says."""


def _truth_of(sample: dict) -> dict:
    if 'instances' not in sample:
        raise UserError(
            "CocoMetric without ann_file measures against the samples' instances: add 'instances' "
            "to the meta_keys of PackDetInputs in the test's pipeline"
        )
    return dict(instances=sample['instances'], ori_shape=sample['ori_shape'])


def _detections(results: list[dict]) -> list[dict]:
    """Return all detections, under the ids of the annotation file."""
    return [
        dict(
            image_id=result['img_id'],
            label=label,
            score=score,
            segmentation=rle,
            area=area,
            bbox=box,
        )
        for result in results
        for score, label, rle, area, box in zip(
            result['scores'],
            result['labels'],
            result['rles'],
            # Of an image's masks together, which is quicker than one by one.
            areas_of(result['rles']).tolist(),
            coco_mask.toBbox(result['rles']).tolist(),
            strict=True,
        )
    ]


def _found(
    metric: Metric, truth: COCO, detections: list[dict], image_numbers: dict[Identifier, int]
) -> COCO:
    """Return detections as the engine wants them, and as its own `loadRes` would make them.

    As in COCO's results, the size of a detection is the area of what is measured: mask or box.
    """
    return COCO(
        dict(
            images=truth.dataset['images'],
            annotations=[
                dict(
                    id=number,
                    image_id=image_numbers[detection['image_id']],
                    category_id=detection['label'] + 1,
                    iscrowd=0,
                    area=_box_area(detection) if metric == 'bbox' else detection['area'],
                    **{key: detection[key] for key in ('score', 'segmentation', 'bbox')},
                )
                for number, detection in enumerate(detections, start=1)
            ],
            categories=truth.dataset['categories'],
        )
    )


def _box_area(detection: dict) -> float:
    *_, width, height = detection['bbox']
    return width * height


def _write_results(results: list[dict], category_ids: Sequence[Identifier], path: str) -> None:
    """Write COCO's list of detections."""
    content = [
        dict(
            image_id=result['img_id'],
            category_id=category_ids[label],
            score=score,
            segmentation=json_rle(rle),
        )
        for result in results
        for score, label, rle in zip(
            result['scores'], result['labels'], result['rles'], strict=True
        )
    ]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content))


def _table(head: tuple[str, str], figures: dict[str, float], *, columns: int) -> str:
    """Lay figures out in columns, from top to bottom; `-` where there is nothing to find."""
    cells = [[name, f'{value:.3f}' if value >= 0 else '-'] for name, value in figures.items()]
    columns = min(columns, len(cells))
    height = -(-len(cells) // columns)
    cells += [['', '']] * (columns * height - len(cells))
    rows = [list(chain.from_iterable(cells[row::height])) for row in range(height)]
    return AsciiTable([[*head] * columns, *rows]).table
