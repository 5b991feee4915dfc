"""COCO's mask AP, straight from RLEs in memory."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmdet.datasets.coco_file import CocoFile, category_labels, read_coco_file
from mmdet.datasets.coco_values import Identifier
from mmdet.errors import UserError
from mmdet.registry import METRICS
from mmdet.structures.segmentation import json_rle

from .curves import mean_of, precision_and_recall
from .matching import IOU_THRESHOLDS, Detections, Metric, detections_of, match, rows_type
from .truth import ImageTruth, count_objects, truth_of_file, truth_of_sample

# COCO's twelve figures in COCO's order, by mmdetection's names
FIGURES = (
    *('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l'),
    *('AR@1', 'AR@10', 'AR@100', 'AR_s@100', 'AR_m@100', 'AR_l@100'),
)


class Measured(NamedTuple):
    """A test whose masks are at hand, for what else is to be told of it than its figures.

    Attributes:
        truth: what there is to find, by the images' ids, in their order.
        classes: the names of the labels.
        category_ids: what the annotation file calls each label.
        found: of each image that was looked at, by its id.
        max_detections: so many of a class in an image count, those of the highest scores.
    """

    truth: Mapping[Identifier, ImageTruth]
    classes: tuple[str, ...]
    category_ids: Sequence[Identifier]
    found: Mapping[Identifier, Detections]
    max_detections: int


@METRICS.register_module()
class CocoMetric(BaseMetric):
    """COCO's twelve figures, and AP per class if asked for.

    Each image counts once, also where distributed testing saw it twice; crowd regions and images
    without a prediction count as COCO says. What is wrong in the annotation file is repaired, left
    out or refused as `mmdet/datasets/coco_file.py` says: what is left out there is nothing to find
    here, and a detection of it is wrong.

    What the detections of an image find is decided when the image comes, and their masks are let
    go: 30 bytes each are kept, which is also what processes send to the first. Of the annotation
    file each process keeps 200 bytes an object. With `result_file` the detections are kept as the
    text that is written.

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
        keep_results: have what was found stay in `results_kept` of the first process.
    """

    default_prefix = 'coco'
    figures: tuple[str, ...] = FIGURES
    max_detections: tuple[int, ...] = (1, 10, 100)  # of a class in an image

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
        keep_results: bool = False,
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
        self.iou_thrs = (
            IOU_THRESHOLDS if iou_thrs is None else np.array(iou_thrs, float).reshape(-1)
        )
        self.metric_items = tuple(metric_items or self.figures)
        self.format_only = format_only
        self.result_file = result_file
        self.backend_args = backend_args
        self.keep_results = keep_results
        self.results_kept: list[dict] = []
        self._truth: dict[Identifier, ImageTruth] | None = None  # of the file's images
        self._category_ids: Sequence[Identifier] = ()  # of each label, as the file has them

    def prepare(self) -> None:
        """Read the annotation file and match its categories with `dataset_meta['classes']`.

        The first image does it if need be; called before, it finds out what is wrong while nothing
        is lost yet. It does nothing a second time.

        Raises:
            UserError: the file is missing or refused, or lacks a class.
        """
        if not self.ann_file or self._truth is not None:
            return
        coco = self._read(self.ann_file)
        labels = category_labels(coco, self._classes())
        coco.say_findings()
        self._category_ids = list(labels)
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

    def _truth_in(
        self, coco: CocoFile, labels: Mapping[Identifier, int]
    ) -> dict[Identifier, ImageTruth]:
        """Return what there is to find; `labels` are those of the categories' ids, in order."""
        return truth_of_file(coco, labels)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep of each image what its detections find, and what there was to find.

        Raises:
            UserError: the annotation file has no such image; there is none, and a sample has no
                `instances`.
        """
        self.prepare()
        self.results += [self._result(sample) for sample in data_samples]

    def measured(self, results: Sequence[dict]) -> Measured:
        """Return what figures are computed of, for what else is to be told of it.

        Args:
            results: of each image `img_id`, `scores`, `labels` and `rles`, and where there is no
                annotation file `truth`, a dict of `instances` and `ori_shape` as samples have them.

        Raises:
            UserError: as `prepare`, and where an image was predicted that the file does not have.
        """
        self.prepare()
        truth = self._truth
        if truth is None:
            truth = {each['img_id']: truth_of_sample(each['truth']) for each in results}
        found = {
            each['img_id']: self._kept(detections_of(each['scores'], each['labels'], each['rles']))
            for each in results
        }
        for img_id, detections in found.items():
            if img_id not in truth and len(detections):
                raise self._stranger(img_id)
        ids = self._ids()
        most = self.max_detections[-1]
        return Measured(truth, tuple(self._classes()), ids, found, most)

    def _result(self, sample: dict) -> dict:
        found = sample['pred_instances']
        detections = self._kept(
            detections_of(found['scores'].tolist(), found['labels'].tolist(), found['masks'].rles)
        )
        result = dict(img_id=sample['img_id'])
        if self.result_file:
            result['text'] = self._text(sample['img_id'], detections)
        if self.format_only:
            return result
        truth = self._truth_of(sample, detections)
        if self.keep_results:
            own = (
                None if self.ann_file else {key: sample[key] for key in ('instances', 'ori_shape')}
            )
            result['kept'] = dict(
                img_id=sample['img_id'],
                scores=detections.scores,
                labels=detections.labels,
                rles=detections.rles,
                truth=own,
            )
        limits = dict(thresholds=self.iou_thrs, max_detections=self.max_detections[-1])
        for metric in self.metrics:
            result[metric] = match(detections, truth, metric, **limits)
        if not self.ann_file:
            result['objects'] = (truth.labels, truth.ignored)
        return result

    def _kept(self, found: Detections) -> Detections:
        """Return what of an image's detections is measured and written."""
        return found

    def _truth_of(self, sample: dict, found: Detections) -> ImageTruth:
        if not self.ann_file:
            if 'instances' not in sample:
                raise UserError(
                    "CocoMetric without ann_file measures against the samples' instances: add "
                    "'instances' to the meta_keys of PackDetInputs in the test's pipeline"
                )
            return truth_of_sample(sample)
        assert self._truth is not None  # `process` has read it
        truth = self._truth.get(sample['img_id'])
        if truth is not None:
            return truth
        if len(found):
            raise self._stranger(sample['img_id'])
        return truth_of_sample(dict(ori_shape=(0, 0), instances=[]))

    def _stranger(self, img_id: Identifier) -> UserError:
        return UserError(
            f'{self.ann_file} has no image {img_id!r}, which was predicted; '
            'the evaluator and the data set must name the same annotation file'
        )

    def _ids(self) -> Sequence[Identifier]:
        """Return the id of each label's category."""
        return self._category_ids if self.ann_file else range(1, len(self._classes()) + 1)

    def _text(self, img_id: Identifier, found: Detections) -> str:
        """Return an image's detections as COCO's results have them, without the list's brackets."""
        ids = self._ids()
        entries = [
            dict(
                image_id=img_id,
                category_id=ids[label],
                score=score,
                segmentation=json_rle(rle),
            )
            for score, label, rle in zip(
                found.scores.tolist(), found.labels.tolist(), found.rles, strict=True
            )
        ]
        return json.dumps(entries)[1:-1]

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return the figures; -1 where there is nothing to find, 0 where there are no images."""
        self.prepare()
        by_image = {result['img_id']: result for result in results}
        if self.result_file:
            texts = (result['text'] for result in by_image.values())
            _write_list(filter(None, texts), self.result_file)
        if self.format_only:
            return {}
        if self.keep_results:
            self.results_kept = [result.pop('kept') for result in by_image.values()]
        # In the order of the file's images: of equal scores the first comes first.
        truth = by_image if self._truth is None else self._truth
        ordered = [by_image[img_id] for img_id in truth if img_id in by_image]
        if self._truth is None:
            objects = (result['objects'] for result in ordered)
        else:
            objects = ((each.labels, each.ignored) for each in self._truth.values())
        numbers = count_objects(objects, len(self._classes()))
        if not any(len(result[self.metrics[0]]) for result in ordered):
            why = 'nothing was detected' if truth else 'there are no images'
            logger = MMLogger.get_current_instance()
            logger.warning(
                f'{self.ann_file or "the data set"}: {why}, so that there is nothing to score'
            )
        figures: dict[str, float] = {}
        for metric in self.metrics:
            if truth:
                rows = [result[metric] for result in ordered]
                figures |= self._evaluate(metric, rows, numbers)
            else:
                classes = self._classes() if self.classwise else ()
                names = (*self.metric_items, *(f'{self.figures[0]}_{name}' for name in classes))
                figures |= {f'{metric}_{name}': 0.0 for name in names}
        return figures

    def _classes(self) -> Sequence[str]:
        assert self.dataset_meta is not None  # mmengine's loops say it before anything else
        return self.dataset_meta['classes']

    def _evaluate(
        self, metric: Metric, rows: list[np.ndarray], objects: np.ndarray
    ) -> dict[str, float]:
        """Return the figures of a metric, and log them.

        Args:
            metric: masks or boxes.
            rows: of `rows_type`, of each image.
            objects: to find, (C, A), of each class and for each of `AREAS`.
        """
        thresholds = len(self.iou_thrs)
        precision, recall = precision_and_recall(
            np.concatenate([np.zeros(0, rows_type(thresholds)), *rows]),
            objects,
            thresholds=thresholds,
            max_detections=self.max_detections,
        )
        stats = self._figures(precision, recall)
        figures = {f'{metric}_{name}': stats[name] for name in self.metric_items}
        logger = MMLogger.get_current_instance()
        logger.info('\n' + _table(('figure', 'value'), figures, columns=2))
        if self.classwise:
            by_class = (mean_of(values) for values in np.moveaxis(precision[..., 0], 2, 0))
            aps = dict(zip(self._classes(), by_class, strict=True))
            logger.info('\n' + _table(('class', f'{metric} AP'), aps, columns=3))
            figures |= {f'{metric}_{self.figures[0]}_{name}': ap for name, ap in aps.items()}
        return figures

    def _figures(self, precision: np.ndarray, recall: np.ndarray) -> dict[str, float]:
        """Return all figures; -1 where there is nothing to find.

        Args:
            precision: (IoU thresholds, recalls, classes, areas).
            recall: (IoU thresholds, classes, areas, numbers of detections).
        """
        everything = precision[..., 0]
        return dict(
            mAP=mean_of(everything),
            mAP_50=mean_of(everything[np.isclose(self.iou_thrs, 0.5)]),
            mAP_75=mean_of(everything[np.isclose(self.iou_thrs, 0.75)]),
            **{f'mAP_{size}': mean_of(precision[..., i]) for i, size in enumerate('sml', 1)},
            **{f'AR@{most}': mean_of(recall[..., 0, i]) for i, most in enumerate((1, 10, 100))},
            **{f'AR_{size}@100': mean_of(recall[..., i, -1]) for i, size in enumerate('sml', 1)},
        )


def _write_list(texts: Iterator[str], path: str) -> None:
    """Write a JSON list of which parts are there as text."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open('w') as file:
        file.write('[' + next(texts, ''))
        file.writelines(f', {text}' for text in texts)
        file.write(']')


def _table(head: tuple[str, str], figures: dict[str, float], *, columns: int) -> str:
    """Lay figures out in columns, from top to bottom; `-` where there is nothing to find."""
    cells = [[name, f'{value:.3f}' if value >= 0 else '-'] for name, value in figures.items()]
    columns = min(columns, len(cells))
    height = -(-len(cells) // columns)
    cells += [['', '']] * (columns * height - len(cells))
    rows = [list(chain.from_iterable(cells[row::height])) for row in range(height)]
    return AsciiTable([[*head] * columns, *rows]).table
