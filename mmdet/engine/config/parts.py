"""Where data sets and metrics stand in a config, however they are wrapped."""

from collections.abc import Iterator, Mapping

from mmengine.registry import Registry


def is_a(node: Mapping, registry: Registry, cls: type) -> bool:
    """Return whether a dict describes an object of a class, which it may name or hold."""
    kind = node.get('type')
    found = registry.get(kind) if isinstance(kind, str) else kind
    return isinstance(found, type) and issubclass(found, cls)


def datasets_of(loader: object) -> Iterator[dict]:
    """Yield the innermost data sets of a loader's dict: those that read files."""
    dataset = loader.get('dataset') if isinstance(loader, Mapping) else None
    if isinstance(dataset, dict):
        yield from _innermost(dataset)


def _innermost(dataset: dict) -> Iterator[dict]:
    inner = dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])
    inner = [each for each in inner if isinstance(each, dict)]
    if not inner:
        yield dataset
    for each in inner:
        yield from _innermost(each)


def metrics_of(evaluator: object) -> list[dict]:
    """Return the metrics of an evaluator: a dict, a list, or a dict that has them as `metrics`."""
    if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
        evaluator = evaluator['metrics']
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    return [metric for metric in metrics if isinstance(metric, dict)]
