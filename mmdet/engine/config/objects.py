"""Dicts that describe an object: `dict(type='SGD', lr=0.01)`, and others within."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import mmengine.registry
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.registry import Registry
from mmengine.runner import Runner

from mmdet import registry as mmdet_registry
from mmdet.errors import UserError
from mmdet.models.heads import MaskFeatModule
from mmdet.models.layers import DropBlock
from mmdet.models.postprocess import DecodeConfig

from .not_here import what_instead
from .parts import look_up
from .signature import Arguments, arguments_of, in_words, may_be, suggestion

# Whose arguments are checked by their types, and looked into for further objects. What a user's
# own class makes of its arguments is the user's business.
_KNOWN_PACKAGES = ('mmdet', 'mmengine', 'mmcv', 'torch', 'torchvision')


@dataclass(frozen=True)
class Place:
    """Where a config describes an object.

    Attributes:
        registry: where its type is looked up; None for anywhere. One with nothing in it is false.
        default: its type if none is named.
        supplied: the arguments that it gets from elsewhere; None if those are not known, so that
            no other can be said to be missing.
        handled: keys that are not for the object but for whoever builds it.
        untyped: what is built without looking at a type.
    """

    registry: Registry | None = None
    default: str | None = None
    supplied: frozenset[str] | None = frozenset()
    handled: frozenset[str] = frozenset()
    untyped: type | None = None


def _registries(module: object) -> list[Registry]:
    return [value for value in vars(module).values() if isinstance(value, Registry)]


_ALL = [
    *(found for found in _registries(mmdet_registry) if found.scope == 'mmdet'),
    *_registries(mmengine.registry),
]
_SOMEWHERE = Place(supplied=None)
_MODULE = Place(mmdet_registry.MODELS, supplied=None)
_DATASET = Place(mmdet_registry.DATASETS)
_TRANSFORM = Place(mmdet_registry.TRANSFORMS)

# The arguments of known classes from which objects are built, by their names.
_WITHIN = {
    'backbone': Place(mmdet_registry.MODELS),
    'neck': Place(mmdet_registry.MODELS),
    'mask_head': Place(mmdet_registry.MODELS, supplied=frozenset({'train_cfg', 'test_cfg'})),
    'mask_feature_head': Place(untyped=MaskFeatModule, supplied=frozenset({'in_channels'})),
    'drop_block': Place(untyped=DropBlock),
    'test_cfg': Place(untyped=DecodeConfig),
    'tta_cfg': Place(untyped=DecodeConfig),
    'data_preprocessor': Place(mmdet_registry.MODELS),
    'batch_augments': _MODULE,
    'norm_cfg': replace(_MODULE, handled=frozenset({'requires_grad'})),
    'conv_cfg': _MODULE,
    'act_cfg': _MODULE,
    'dcn': _MODULE,
    'dcn_cfg': _MODULE,
    'loss_mask': _MODULE,
    'loss_cls': _MODULE,
    'init_cfg': Place(mmdet_registry.WEIGHT_INITIALIZERS, handled=frozenset({'override'})),
    'dataset': _DATASET,
    'datasets': _DATASET,
    'pipeline': _TRANSFORM,
    'switch_pipeline': _TRANSFORM,  # of PipelineSwitchHook
    'transforms': _TRANSFORM,
    'policies': _TRANSFORM,  # of AutoAugment
    'aug_space': _TRANSFORM,  # of RandAugment
    'vis_backends': Place(mmdet_registry.VISBACKENDS, supplied=frozenset({'save_dir'})),
    'metrics': Place(mmdet_registry.METRICS),
}
# What another program reads, in whatever form it likes; and what is checked elsewhere. So are the
# arguments that a class lists as `foreign`, from which it builds another library's objects.
_OPAQUE = {
    *('init_kwargs', 'define_metric_cfg', 'backend_args', 'file_client_args', 'metainfo'),
    *('clip_grad', 'on_trace_ready'),
}


def check_object(node: object, path: str, place: Place) -> Iterator[str]:
    """Yield what is wrong with a dict that describes an object, and with those within it.

    Args:
        node: the dict.
        path: where it stands in the config.
        place: what may stand there.
    """
    if not isinstance(node, Mapping):
        if place.registry is not None and (
            node is None or isinstance(node, str | int | float | list | tuple)
        ):
            kind = place.registry.name
            yield f'{path} is {node!r}, which describes no {kind}: a dict with a type does'
        return
    target = place.untyped
    if target is None:
        try:
            target = _find(node, place)
        except UserError as error:
            yield f'{path}: {error}'
            return
    known = _is_known(target)
    arguments = arguments_of(target)
    keys = node.keys() - {'type', '_scope_'} - place.handled
    further = _further(target, node)
    taken = [*arguments.parameters, *further.parameters]
    name = node.get('type', path.rpartition('.')[2])
    name = name.removeprefix('mmdet.') if isinstance(name, str) else name.__name__
    unknown = keys - set(taken) if not arguments.is_open or further.parameters else set()
    if unknown:
        instead = getattr(target, 'instead', {})
        for key in unknown:
            advice = f': {instead[key]}' if key in instead else suggestion(key, taken)
            yield f'{path}: {name} has no argument {key!r}{advice}'
    if place.supplied is not None:
        for key in missing_arguments(arguments, keys | place.supplied):
            yield f'{path}: {name} needs the argument {key!r}'
    if not known:
        return
    hints = {**further.hints, **arguments.hints}
    wrong = list(check_values({key: node[key] for key in keys & set(taken)}, path, hints))
    yield from wrong
    if target is DecodeConfig and not wrong and keys <= set(taken):
        try:
            DecodeConfig(**node)
        except UserError as error:
            yield f'{path.removesuffix("test_cfg")}{error}'
    foreign = getattr(target, 'foreign', frozenset())
    whole = keys <= set(taken) and not missing_arguments(arguments, set(keys))
    if foreign and whole and not wrong:
        try:
            target(**{key: node[key] for key in keys})
        except UserError as error:
            yield f'{path}: {error}'
    for key in keys - unknown - _OPAQUE - foreign:
        yield from _check_within(node[key], f'{path}.{key}', _WITHIN.get(key, _SOMEWHERE))


def known_class(node: Mapping, place: Place) -> Callable | None:
    """Return what a checked dict's type names, or None if that is a user's own."""
    target = _find(node, place)
    return target if _is_known(target) else None


def check_values(values: Mapping, path: str, hints: Mapping[str, object]) -> Iterator[str]:
    """Yield which of the values cannot be what the hints of their names say."""
    for key, value in values.items():
        if value is not None and key in hints and not may_be(value, hints[key]):
            hint = hints[key]
            yield f'{path}.{key} is {value!r} ({type(value).__name__}), not {in_words(hint)}'


def missing_arguments(arguments: Arguments, given: set[str]) -> list[str]:
    """Return the arguments that have no default and are not given."""
    return [
        name
        for name, parameter in arguments.parameters.items()
        if parameter.default is parameter.empty and name not in given
    ]


def _check_within(value: object, path: str, place: Place) -> Iterator[str]:
    if isinstance(value, Mapping):
        if 'type' in value or place is not _SOMEWHERE:
            yield from check_object(value, path, place)
        else:
            for key, item in value.items():
                yield from _check_within(item, f'{path}.{key}', _WITHIN.get(key, _SOMEWHERE))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _check_within(item, f'{path}.{index}', place)


def _find(node: Mapping, place: Place) -> Callable:
    """Return what a type names.

    Raises:
        UserError: there is no type, or none of that name in this place.
    """
    kind = _article(place.registry.name if place.registry is not None else 'object')
    name = node.get('type', place.default)
    if name is None:
        raise UserError(f'it names no type of {kind}')
    if callable(name):
        return name
    if not isinstance(name, str):
        raise UserError(f'type is {name!r}, not the name of {kind}')
    scope = node.get('_scope_')
    full_name = name if scope in (None, 'mmdet', 'mmengine') else f'{scope}.{name}'
    registries = [place.registry] if place.registry is not None else _ALL
    for registry in registries:
        if (found := look_up(registry, full_name)) is not None:
            return found
    elsewhere = next((r.name for r in _ALL if look_up(r, full_name) is not None), None)
    if elsewhere:
        raise UserError(f'{name!r} is {_article(elsewhere)}, not {kind}')
    short = name.removeprefix('mmdet.')
    if advice := what_instead(name):
        raise UserError(f'there is no type {short!r}: {advice}')
    known = [key for registry in registries for key in _names(registry)]
    raise UserError(f'there is no type {short!r}{suggestion(short, known)}')


def _article(kind: str) -> str:
    return f'an {kind}' if kind[0] in 'aeiou' else f'a {kind}'


def _names(registry: Registry) -> list[str]:
    parent = [] if registry.parent is None else _names(registry.parent)
    return [*registry.module_dict, *parent]


def _is_known(target: Callable) -> bool:
    return target.__module__.split('.')[0] in _KNOWN_PACKAGES


def _further(target: Callable, node: Mapping) -> Arguments:
    """Return what a class takes beyond its own arguments, to hand it to something else."""
    if inspect.isclass(target) and issubclass(target, EMAHook):
        kind = node.get('ema_type', 'ExponentialMovingAverage')
        averaged = look_up(mmdet_registry.MODELS, kind) if isinstance(kind, str) else kind
        if callable(averaged):
            return arguments_of(averaged)
    if inspect.isclass(target) and issubclass(target, CheckpointHook):
        return arguments_of(Runner.save_checkpoint)
    return Arguments({}, {}, is_open=False)
