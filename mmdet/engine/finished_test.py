"""A test that was run before: its results file beside what its config says there was to find."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import DumpResults

from mmdet.datasets.coco_file import read_coco_file
from mmdet.datasets.coco_values import Identifier
from mmdet.errors import UserError
from mmdet.evaluation import CocoMetric
from mmdet.evaluation.analysis import ImageComparison, TestImages, compare, read_results
from mmdet.registry import DATASETS, METRICS
from mmdet.structures import RLEMasks

from .config import is_a, metrics_of, require_stage

_WRITES = ('format_only', 'outfile_prefix', 'result_file')  # arguments by which a metric does so


@dataclass
class FinishedTest:
    """What a test has found, and by what it is measured.

    Attributes:
        metric: has read what there is to find.
        dataset: of the test, which need not have read its annotations yet; None where an annotation
            file takes its place.
        sizes: (height, width) in pixels of each image, by its id.
        results: for each image an entry as `CocoMetric.measured` takes it: `img_id`, `scores`,
            `labels`, `rles` and, where there is no annotation file, `truth`.
    """

    metric: CocoMetric
    dataset: BaseDataset | None
    sizes: Mapping[Identifier, tuple[int, int]]
    results: list[dict]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels."""
        assert self.metric.dataset_meta is not None  # given when it was made
        return tuple(self.metric.dataset_meta['classes'])

    def images(self) -> Iterator[ImageComparison]:
        """Yield each image of the test with its predictions beside its objects."""
        return compare(self.metric.measured(self.results))

    def samples(self) -> Iterator[dict]:
        """Yield each image as an evaluator takes it."""
        for result in self.results:
            size = self.sizes[result['img_id']]
            found = dict(
                scores=torch.tensor(result['scores'], dtype=torch.float64),
                labels=torch.tensor(result['labels'], dtype=torch.long),
                masks=RLEMasks(result['rles'], *size),
            )
            truth = result['truth'] or dict(ori_shape=size)
            yield dict(img_id=result['img_id'], pred_instances=found, **truth)


def read_test(cfg: Config, path: str) -> FinishedTest:
    """Read a results file of a config's test.

    What there is to find is what the first `CocoMetric` of the test's evaluator measures by, or
    else the objects of the test's data set.

    Args:
        cfg: a checked config.
        path: of the results file.

    Raises:
        UserError: there is no test in the config, or a file is missing or refused.
    """
    require_stage(cfg, 'test', source=cfg.filename)
    described = next(
        (each for each in evaluator_of(cfg) if is_a(each, METRICS, CocoMetric)),
        dict(type='CocoMetric'),
    )
    metric = METRICS.build(described)
    node = cfg.test_dataloader.dataset
    dataset = DATASETS.build({**node, 'lazy_init': True} if metric.ann_file else node)
    if not dataset.metainfo.get('classes'):
        dataset.full_init()
    metric.dataset_meta = dataset.metainfo
    if metric.ann_file:
        return _of_file(metric, dataset, path)
    items = (dataset.get_data_info(index) for index in range(len(dataset)))
    truths = {
        item['img_id']: dict(instances=item['instances'], ori_shape=(item['height'], item['width']))
        for item in items
    }
    sizes = {img_id: truth['ori_shape'] for img_id, truth in truths.items()}
    numbers = range(1, len(metric.dataset_meta['classes']) + 1)
    images = TestImages('the data set of the test', sizes, numbers)
    return FinishedTest(metric, dataset, sizes, _of_all(read_results(path, images), sizes, truths))


def read_test_of_file(ann_file: str, path: str) -> FinishedTest:
    """Read a results file beside an annotation file in COCO's format, of all its classes.

    Args:
        ann_file: the annotation file.
        path: of the results file.

    Raises:
        UserError: a file is missing or refused.
    """
    metric = CocoMetric(ann_file)
    names = [category['name'] for category in read_coco_file(ann_file).categories]
    metric.dataset_meta = dict(classes=tuple(dict.fromkeys(names)))
    return _of_file(metric, None, path)


def evaluator_of(cfg: Config) -> list[dict]:
    """Return the metrics that a config tests by, without what they would write.

    Raises:
        UserError: there are none.
    """
    metrics = [dict(each) for each in metrics_of(cfg.test_evaluator)]
    metrics = [each for each in metrics if not is_a(each, METRICS, DumpResults)]
    if not metrics:
        raise UserError(f'{cfg.filename} has no metric in test_evaluator')
    for metric in metrics:
        for name in _WRITES if is_a(metric, METRICS, CocoMetric) else ():
            metric.pop(name, None)
    return metrics


def _of_file(metric: CocoMetric, dataset: BaseDataset | None, path: str) -> FinishedTest:
    """Return the test of a metric that reads an annotation file."""
    measured = metric.measured([])
    sizes = {img_id: truth.size for img_id, truth in measured.truth.items()}
    images = TestImages(str(metric.ann_file), sizes, measured.category_ids)
    return FinishedTest(metric, dataset, sizes, _of_all(read_results(path, images), sizes, {}))


def _of_all(
    results: list[dict],
    sizes: Mapping[Identifier, tuple[int, int]],
    truths: Mapping[Identifier, dict],
) -> list[dict]:
    """Return an entry for each image: COCO's results leave out where nothing was found."""
    found = {result['img_id']: result for result in results}
    nothing: dict[str, list] = dict(scores=[], labels=[], rles=[])
    return [
        {**found.get(img_id, nothing), 'img_id': img_id, 'truth': truths.get(img_id)}
        for img_id in sizes
    ]
