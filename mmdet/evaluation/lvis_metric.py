"""LVIS's mask AP, of images of which not all is annotated."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.coco_values import Identifier, identifier_key
from mmdet.datasets.formats.lvis import read_lvis_file
from mmdet.errors import UserError
from mmdet.registry import METRICS

from .coco_metric import CocoMetric
from .curves import mean_of
from .matching import Detections
from .truth import ImageTruth

LVIS_FIGURES = (
    *('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'APr', 'APc', 'APf'),
    *('AR@300', 'ARs@300', 'ARm@300', 'ARl@300'),
)
MAX_DETECTIONS = 300  # of an image
_FREQUENCIES = dict(r='APr', c='APc', f='APf')  # rare, common and frequent classes
_LISTS = ('neg_category_ids', 'not_exhaustive_category_ids')


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
    max_detections = (MAX_DETECTIONS,)

    def prepare(self) -> None:
        """Read the annotation file; see `CocoMetric`.

        Raises:
            UserError: there is none, or it is refused, or is not LVIS's.
        """
        if not self.ann_file:
            raise UserError("LVISMetric needs ann_file, LVIS's: samples lack what it measures by")
        super().prepare()

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

    def _truth_in(
        self, coco: CocoFile, labels: Mapping[Identifier, int]
    ) -> dict[Identifier, ImageTruth]:
        frequencies = {category['id']: category['frequency'] for category in coco.categories}
        self._frequencies = np.array([frequencies[key] for key in labels])
        by_key = {identifier_key(key): label for key, label in labels.items()}
        truth = super()._truth_in(coco, labels)
        for image in coco.images:
            absent, partial = (_labels(image[name], by_key) for name in _LISTS)
            own = truth[image['id']]
            # In which images a class is looked for: of which there are objects, or none for sure.
            truth[image['id']] = replace(
                own, looked_for=np.union1d(own.labels, absent).astype(int), not_exhaustive=partial
            )
        return truth

    def _kept(self, found: Detections) -> Detections:
        return found[np.argsort(-found.scores, kind='stable')[:MAX_DETECTIONS]]

    def _figures(self, precision: np.ndarray, recall: np.ndarray) -> dict[str, float]:
        everything = precision[..., 0]
        figures = dict(
            AP=mean_of(everything),
            AP50=mean_of(everything[np.isclose(self.iou_thrs, 0.5)]),
            AP75=mean_of(everything[np.isclose(self.iou_thrs, 0.75)]),
        )
        for place, size in enumerate('sml', start=1):
            figures[f'AP{size}'] = mean_of(precision[..., place])
            figures[f'AR{size}@300'] = mean_of(recall[..., place, 0])
        figures['AR@300'] = mean_of(recall[..., 0, 0])
        for frequency, name in _FREQUENCIES.items():
            figures[name] = mean_of(everything[:, :, self._frequencies == frequency])
        return figures


def _labels(identifiers: list, labels: Mapping[Identifier | None, int]) -> list[int]:
    """Return the labels of some categories, of those that are wanted."""
    keys = (identifier_key(identifier) for identifier in identifiers)
    return [labels[key] for key in keys if key in labels]
