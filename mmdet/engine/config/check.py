"""Finding mistakes in a config before anything is built from it."""

import inspect
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import ModuleType

import mmengine.registry
from mmengine.optim import OptimWrapper
from mmengine.registry import Registry

from mmdet import registry as mmdet_registry
from mmdet.errors import UserError
from mmdet.models.heads import MaskFeatModule
from mmdet.models.postprocess import TestConfig


def _registries(module: ModuleType) -> list[Registry]:
    return [value for value in vars(module).values() if isinstance(value, Registry)]


_OURS = [registry for registry in _registries(mmdet_registry) if registry.scope == 'mmdet']
_ALL = _OURS + _registries(mmengine.registry)
# Arguments that are themselves dicts of a class's arguments, without a type.
_UNTYPED = {'model.test_cfg': TestConfig, 'model.mask_head.mask_feature_head': MaskFeatModule}


def check_config(cfg: Mapping) -> None:
    """Check the types, keys and numbers of classes of a whole config.

    Raises:
        UserError: a type that is not registered; a key that one of this project's modules does
            not know; a head whose `num_classes` is not the number of the data set's classes.
    """
    for path, module in _modules(cfg, ''):
        if path in _UNTYPED:
            _check_keys(path, module, _UNTYPED[path])
        else:
            _check_module(path, module)
    _check_num_classes(cfg)


def _modules(node: object, path: str) -> Iterator[tuple[str, Mapping]]:
    """Yield the dicts in a config that describe an object, and where they stand."""
    if isinstance(node, Mapping):
        if isinstance(node.get('type'), str) or path in _UNTYPED:
            yield path, node
        for key, value in node.items():
            yield from _modules(value, f'{path}.{key}' if path else key)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _modules(value, f'{path}[{index}]')


def _check_module(path: str, module: Mapping) -> None:
    name = module['type'].removeprefix('mmdet.')
    ours = next((found for registry in _OURS if (found := registry.get(name))), None)
    if ours is None:
        if not any(registry.get(module['type']) for registry in _ALL):
            known = [key for registry in _ALL for key in registry.module_dict]
            raise UserError(f'{path}: there is no type {name!r}{_suggestion(name, known)}')
        return
    if not ours.__module__.startswith('mmdet.'):
        return
    _check_keys(path, module, ours)


def _check_keys(path: str, module: Mapping, cls: type) -> None:
    known = _parameters(cls)
    handled_by_builders = {'type', '_scope_'}
    if issubclass(cls, OptimWrapper):
        handled_by_builders |= {'constructor', 'paramwise_cfg'}
    for key in module.keys() - handled_by_builders if known is not None else ():
        if key not in known:
            name = module.get('type', cls.__name__).removeprefix('mmdet.')
            raise UserError(f'{path}: {name} has no argument {key!r}{_suggestion(key, known)}')


def _parameters(cls: type) -> list[str] | None:
    """Return the names of a class's arguments; None if it takes any.

    A class that takes further keyword arguments hands them to its base class.
    """
    names: list[str] = []
    for base in cls.__mro__:
        if '__init__' not in vars(base) or base is object:
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        names += [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            return names
    return None


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f'; did you mean {close[0]!r}?' if close else ''


def _check_num_classes(cfg: Mapping) -> None:
    model = cfg.get('model') or {}
    num_classes = model.get('mask_head', {}).get('num_classes')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = (cfg.get(loader) or {}).get('dataset') or {}
        while 'dataset' in dataset:
            dataset = dataset['dataset']
        cls = mmdet_registry.DATASETS.get(dataset['type']) if 'type' in dataset else None
        if cls is None or num_classes is None:
            continue
        metainfo = dataset.get('metainfo') or {}
        classes = metainfo.get('classes') or getattr(cls, 'METAINFO', {}).get('classes')
        if isinstance(classes, list | tuple) and len(classes) != num_classes:
            raise UserError(
                f'model.mask_head.num_classes is {num_classes}, but {loader} has '
                f'{len(classes)} classes: set num_classes={len(classes)}, or name the classes in '
                f'{loader}.dataset.metainfo'
            )
