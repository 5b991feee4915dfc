"""What a config says of its data sets, its metrics and its test pipeline, wherever they stand."""

from collections.abc import Callable, Iterator, Mapping

from mmengine.config import Config
from mmengine.registry import Registry

from mmdet.errors import UserError
from mmdet.registry import DATASETS


def look_up(registry: Registry, name: str) -> Callable | None:
    """Return what a name stands for in a registry, or None if it is unknown."""
    # The runner asks mmengine's registry, which finds its own classes as `mmdet.EMAHook`, too.
    for each in (registry, registry.parent):
        try:
            if each is not None and (found := each.get(name)) is not None:
                return found
        except (ImportError, AttributeError, KeyError, ValueError):
            continue  # a path that looks like a module's, but is none
    return None


def is_a(node: Mapping, registry: Registry, cls: type) -> bool:
    """Return whether a dict describes an object of a class, which it may name or hold."""
    kind = node.get('type')
    found = look_up(registry, kind) if isinstance(kind, str) else kind
    return isinstance(found, type) and issubclass(found, cls)


def datasets_of(loader: object) -> Iterator[dict]:
    """Yield the innermost data sets of a loader's dict: those that read files."""
    return (dataset for dataset, _ in datasets_with_steps(loader))


def datasets_with_steps(loader: object) -> Iterator[tuple[dict, list[dict]]]:
    """Yield the innermost data sets of a loader's dict, each with the steps of all its pipelines.

    Those of wrappers, such as `MultiImageMixDataset`, come after its own.
    """
    dataset = loader.get('dataset') if isinstance(loader, Mapping) else None
    if isinstance(dataset, dict):
        yield from _innermost(dataset)


def _innermost(dataset: dict) -> Iterator[tuple[dict, list[dict]]]:
    steps = list(dataset.get('pipeline') or ())
    inner = dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])
    inner = [each for each in inner if isinstance(each, dict)]
    if not inner:
        yield dataset, steps
    for each in inner:
        for innermost, before in _innermost(each):
            yield innermost, [*before, *steps]


def metainfo_of(dataset: Mapping) -> dict:
    """Return what a data set's dict says of its classes, and else what its class knows."""
    kind = dataset.get('type')
    cls = DATASETS.get(kind) if isinstance(kind, str) else kind
    said = {key: value for key, value in (dataset.get('metainfo') or {}).items() if value}
    return {**getattr(cls, 'METAINFO', {}), **said}


def pipeline_of_tests(cfg: Mapping | Config) -> list[dict]:
    """Return the steps that prepare an image for a test, or else for a validation.

    Raises:
        UserError: there are none.
    """
    loaders = (cfg.get(f'{stage}_dataloader') for stage in ('test', 'val'))
    pipelines = (each.get('pipeline') for loader in loaders for each in datasets_of(loader))
    steps = next(filter(None, pipelines), None) or cfg.get('test_pipeline')
    if not steps:
        raise UserError(
            f'{getattr(cfg, "filename", None) or "the config"} has no test pipeline: '
            'set test_dataloader.dataset.pipeline'
        )
    return list(steps)


def metrics_of(evaluator: object) -> list[dict]:
    """Return the metrics of an evaluator: a dict, a list, or a dict that has them as `metrics`."""
    if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
        evaluator = evaluator['metrics']
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    return [metric for metric in metrics if isinstance(metric, dict)]
