"""Settings put into a config, and what is different then."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmdet.engine.config import datasets_of

from .proposal import GridSettings

# What of a transform is in pixels of the input.
_SIZES = dict(
    Resize=('scale', 'scale_factor'),
    RandomChoiceResize=('scales',),
    RandomResize=('scale',),
    RandomCrop=('crop_size',),
    Pad=('size',),
)
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_BEFORE_RESIZE = ('LoadImageFromFile', 'LoadAnnotations')


def apply_settings(cfg: Mapping, settings: GridSettings) -> dict:
    """Return a config with a grid and an input size.

    The size is that of all transforms that name one, in training and testing. A pipeline that has
    none gets a `Resize` after its images are read.

    Args:
        cfg: a whole config, as a dict; it is left as it is.
        settings: the grid, and the factor of the size.
    """
    new = {key: _resized(value, settings.factor) for key, value in cfg.items()}
    new['model']['mask_head'] |= dict(
        num_grids=list(settings.num_grids),
        scale_ranges=settings.scale_ranges,
        pos_scale=settings.pos_scale,
    )
    if settings.factor != 1:
        for loader in _LOADERS:
            for dataset in datasets_of(new.get(loader)):
                _insert_resize(dataset, settings.factor, is_training=loader == _LOADERS[0])
    return new


def difference(old: Mapping, new: Mapping) -> dict:
    """Return what a config says to make a new one of an old one that it inherits from.

    What the new one lacks is not seen.

    Examples:
        >>> difference(dict(a=1, b=dict(c=2, d=3)), dict(a=1, b=dict(c=2, d=4)))
        {'b': {'d': 4}}
    """
    changed = {}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            inner = difference(before, value)
            if inner:
                changed[key] = inner
        elif key not in old or before != value:
            changed[key] = value
    return changed


def _resized(node: Any, factor: float) -> Any:
    """Return a copy with all sizes multiplied; of a list or tuple, too."""
    if isinstance(node, Mapping):
        names = _SIZES.get(str(node.get('type')).rpartition('.')[2], ())
        return {
            key: _times(value, factor) if key in names else _resized(value, factor)
            for key, value in node.items()
        }
    if isinstance(node, list | tuple):
        return type(node)(_resized(each, factor) for each in node)
    return node


def _times(value: object, factor: float) -> object:
    if isinstance(value, list | tuple):
        return type(value)(_times(each, factor) for each in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return max(1, round(value * factor))
    return value * factor if isinstance(value, float) else value


def _insert_resize(dataset: dict, factor: float, *, is_training: bool) -> None:
    pipeline = dataset.get('pipeline')
    if not pipeline or any(step['type'] in _SIZES for step in pipeline):
        return
    first = _BEFORE_RESIZE if is_training else _BEFORE_RESIZE[:1]
    place = sum(1 for _ in _leading(pipeline, first))
    resize = dict(type='Resize', scale_factor=factor, keep_ratio=True)
    dataset['pipeline'] = [*pipeline[:place], resize, *pipeline[place:]]


def _leading(pipeline: Sequence[Mapping], kinds: Sequence[str]) -> Iterator[Mapping]:
    for step in pipeline:
        if step['type'] not in kinds:
            return
        yield step
