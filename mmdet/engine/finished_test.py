"""A test that was run before: its results file beside what its config says there was to find."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import DumpResults, Evaluator

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

    def with_scores_from(self, score_thr: float) -> 'FinishedTest':
        """Return the same test, as if nothing of a lower score had been found."""
        return replace(self, results=[_from(each, score_thr) for each in self.results])

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
    described = evaluator_of(cfg)
    place = _place_of_coco(described)
    metric = METRICS.build(dict(type='CocoMetric') if place is None else described[place])
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


def evaluate(cfg: Config, test: FinishedTest) -> dict[str, float]:
    """Return the figures of a test by all metrics of the config, as the test that ran has them.

    Args:
        cfg: what the test was read by.
        test: of `read_test`.
    """
    metrics: list = evaluator_of(cfg)
    place = _place_of_coco(metrics)
    if place is not None:
        metrics[place] = test.metric
    evaluator = Evaluator(metrics)
    assert test.metric.dataset_meta is not None  # given when it was made
    evaluator.dataset_meta = test.metric.dataset_meta
    return evaluator.offline_evaluate(list(test.samples()))


def evaluator_of(cfg: Config) -> list[dict]:
    """Return the metrics that a config tests by, without what they would write, class by class.

    Raises:
        UserError: there are none.
    """
    metrics = [dict(each) for each in metrics_of(cfg.test_evaluator)]
    metrics = [each for each in metrics if not is_a(each, METRICS, DumpResults)]
    if not metrics:
        raise UserError(f'{cfg.filename} has no metric in test_evaluator')
    for metric in metrics:
        if is_a(metric, METRICS, CocoMetric):
            for name in _WRITES:
                metric.pop(name, None)
            metric['classwise'] = True
    return metrics


def _place_of_coco(metrics: Sequence[Mapping]) -> int | None:
    """Return which of the metrics is the first `CocoMetric`, if there is one."""
    places = (i for i, each in enumerate(metrics) if is_a(each, METRICS, CocoMetric))
    return next(places, None)


def _from(result: dict, score_thr: float) -> dict:
    kept = [index for index, score in enumerate(result['scores']) if score >= score_thr]
    fields = ('scores', 'labels', 'rles')
    return {**result, **{name: [result[name][index] for index in kept] for name in fields}}


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
