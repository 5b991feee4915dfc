"""LVIS's mask AP, of images of which not all is annotated."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.coco_values import Identifier, identifier_key
from mmdet.datasets.formats.lvis import read_lvis_file
from mmdet.errors import UserError
from mmdet.registry import METRICS

from .coco_metric import CocoMetric, Metric, mean_of, say_nothing

LVIS_FIGURES = (
    *('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'APr', 'APc', 'APf'),
    *('AR@300', 'ARs@300', 'ARm@300', 'ARl@300'),
)
MAX_DETECTIONS = 300  # of an image
_FREQUENCIES = dict(r='APr', c='APc', f='APf')  # rare, common and frequent classes
_LISTS = ('neg_category_ids', 'not_exhaustive_category_ids')
# The engine keeps something for each class in each image, which would be 24 million of LVIS.
_CLASSES_AT_ONCE = 25


@METRICS.register_module()
class LVISMetric(CocoMetric):
    """LVIS's thirteen figures, as its own API has them, and AP per class if asked for.

    In an image a class counts that is annotated there, or of which the image is said to have none
    (`neg_category_ids`); where not all objects of a class are annotated
    (`not_exhaustive_category_ids`), what is found beyond them is not wrong. `APr`, `APc` and `APf`
    are those of the classes that are rare, common and frequent in LVIS's training, as the file's
    categories say (`frequency`). The best 300 detections of an image count.

    All else is as in `CocoMetric`, also its arguments; `metric_items` are names out of
    `LVIS_FIGURES`. The annotation file is needed: samples do not say what is not annotated.
    """

    default_prefix = 'lvis'
    figures: tuple[str, ...] = LVIS_FIGURES
    max_detections = MAX_DETECTIONS

    def prepare(self) -> None:
        """Read the annotation file; see `CocoMetric`.

        Raises:
            UserError: there is none, or it is refused, or is not LVIS's.
        """
        if not self.ann_file:
            raise UserError("LVISMetric needs ann_file, LVIS's: samples lack what it measures by")
        super().prepare()

    def _taken(self, results: list[dict]) -> tuple[COCO, list[dict]]:
        self.prepare()
        truth, results = super()._taken(results)
        return truth, [_best(result) for result in results]

    def _read(self, path: str) -> CocoFile:
        coco = read_lvis_file(path, self.backend_args)
        for image in coco.images:
            for name in _LISTS:
                if not isinstance(image.get(name), list):
                    raise UserError(
                        f"{path} is not LVIS's: image {image['id']!r} has no list {name!r}; "
                        "CocoMetric measures by COCO's rules"
                    )
        for category in coco.categories:
            if category.get('frequency') not in _FREQUENCIES:
                raise UserError(
                    f"{path} is not LVIS's: the frequency of category {category['name']!r} is "
                    f"{category.get('frequency')!r}, and not 'r', 'c' or 'f'"
                )
        return coco

    def _truth_in(self, coco: CocoFile, labels: Mapping[Identifier, int]) -> COCO:
        numbers = {identifier_key(key): label + 1 for key, label in labels.items()}
        images = [
            {**image, **{name: _numbered(image[name], numbers) for name in _LISTS}}
            for image in coco.images
        ]
        # In which images a class is looked for: where there are objects of it, or none for certain.
        self._looked_for = {
            (image['id'], number) for image in images for number in image['neg_category_ids']
        } | {
            (each['image_id'], labels[each['category_id']] + 1)
            for each in coco.annotations
            if each['category_id'] in labels
        }
        truth = super()._truth_in(replace(coco, images=images), labels)
        frequencies = {category['id']: category['frequency'] for category in coco.categories}
        for key, category in zip(labels, truth.dataset['categories'], strict=True):
            category['frequency'] = frequencies[key]
        return truth

    def _counted(self, results: list[dict]) -> list[dict]:
        # The engine leaves the others out too, but not in an image of which it measures nothing.
        return [
            _chosen(
                result,
                [
                    index
                    for index, label in enumerate(result['labels'])
                    if (result['img_id'], label + 1) in self._looked_for
                ],
            )
            for result in results
        ]

    def _measure(
        self, metric: Metric, truth: COCO, found: COCO
    ) -> tuple[dict[str, float], list[float]]:
        numbers = truth.getCatIds()
        some = [
            self._accumulated(metric, truth, found, numbers[start : start + _CLASSES_AT_ONCE])
            for start in range(0, len(numbers), _CLASSES_AT_ONCE)
        ]
        thresholds = some[0]['params'].iouThrs
        # (IoU thresholds, recalls, classes, areas), and without the recalls
        precision = np.concatenate([each['precision'][..., 0] for each in some], 2)
        recall = np.concatenate([each['recall'][..., 0] for each in some], 1)
        everything = precision[..., 0]
        frequencies = np.array([each['frequency'] for each in truth.dataset['categories']])
        figures = dict(
            AP=mean_of(everything),
            AP50=mean_of(everything[np.isclose(thresholds, 0.5)]),
            AP75=mean_of(everything[np.isclose(thresholds, 0.75)]),
        )
        for place, size in enumerate('sml', start=1):
            figures[f'AP{size}'] = mean_of(precision[..., place])
            figures[f'AR{size}@300'] = mean_of(recall[..., place])
        figures['AR@300'] = mean_of(recall[..., 0])
        for frequency, name in _FREQUENCIES.items():
            figures[name] = mean_of(everything[:, :, frequencies == frequency])
        return figures, [mean_of(values) for values in np.moveaxis(everything, 2, 0)]

    def _accumulated(self, metric: Metric, truth: COCO, found: COCO, numbers: list[int]) -> dict:
        """Return what the engine measures of some classes."""
        evaluation = COCOeval_faster(
            truth, found, iouType=metric, lvis_style=True, print_function=say_nothing
        )
        evaluation.params.catIds = numbers
        evaluation.params.maxDets = [MAX_DETECTIONS]
        if self.iou_thrs is not None:
            evaluation.params.iouThrs = self.iou_thrs
        evaluation.evaluate()
        evaluation.accumulate()
        return evaluation.eval


def _best(result: dict) -> dict:
    """Return an image's detections of the highest scores, at most 300."""
    order = np.argsort(-np.array(result['scores']), kind='stable')[:MAX_DETECTIONS]
    return _chosen(result, order.tolist())


def _chosen(result: dict, indices: list[int]) -> dict:
    """Return some of an image's detections."""
    fields = ('scores', 'labels', 'rles')
    return {**result, **{name: [result[name][index] for index in indices] for name in fields}}


def _numbered(identifiers: list, numbers: Mapping[Identifier | None, int]) -> list[int]:
    """Return what the engine calls some categories, of those that are wanted."""
    keys = (identifier_key(identifier) for identifier in identifiers)
    return [numbers[key] for key in keys if key in numbers]
