"""Loops, optimizers and their schedules."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal

import torch
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmdet.engine.layer_decay import SETTINGS, LearningRateDecayOptimizerConstructor
from mmdet.registry import (
    LOOPS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
)

from .objects import Place, check_object, check_values, known_class
from .signature import arguments_of, suggestion

_OF_LOOPS = frozenset({'runner', 'dataloader', 'evaluator'})
_OPTIMIZER = Place(OPTIMIZERS, supplied=frozenset({'params'}))
_SCHEDULER = Place(
    PARAM_SCHEDULERS,
    supplied=frozenset({'optimizer', 'param_name'}),
    handled=frozenset({'convert_to_iter_based', 'epoch_length'}),
)
# What the constructors look for in `paramwise_cfg`.
_PARAMWISE = {
    DefaultOptimWrapperConstructor.__name__: (
        'custom_keys',
        'bias_lr_mult',
        'bias_decay_mult',
        'norm_decay_mult',
        'dwconv_decay_mult',
        'flat_decay_mult',
        'dcn_offset_lr_mult',
        'bypass_duplicate',
    ),
    LearningRateDecayOptimizerConstructor.__name__: SETTINGS,
}


def check_train_cfg(node: Mapping, path: str) -> Iterator[str]:
    """Yield what is wrong with the training loop's dict."""
    if 'type' not in node and 'by_epoch' not in node:
        yield f"{path} needs type='EpochBasedTrainLoop' or by_epoch=True"
        return
    default = 'EpochBasedTrainLoop' if node.get('by_epoch') else 'IterBasedTrainLoop'
    place = Place(LOOPS, default, supplied=_OF_LOOPS, handled=frozenset({'by_epoch'}))
    yield from check_object(node, path, place)
    for key in ('max_epochs', 'max_iters', 'val_interval'):
        value = node.get(key)
        if isinstance(value, int | float) and value < 1:
            yield f'{path}.{key} is {value}, which is below 1'


def check_other_loop(node: Mapping, path: str, *, default: str) -> Iterator[str]:
    """Yield what is wrong with the dict of a loop that validates or tests."""
    yield from check_object(node, path, Place(LOOPS, default, supplied=_OF_LOOPS))


def check_optim_wrapper(node: Mapping, path: str) -> Iterator[str]:
    """Yield what is wrong with the optimizer wrapper's dict, and with its optimizer's."""
    constructor = node.get('constructor', 'DefaultOptimWrapperConstructor')
    if 'optimizer' not in node and 'constructor' not in node:
        yield f"{path} needs 'optimizer'"
    place = Place(
        OPTIM_WRAPPERS,
        'OptimWrapper',
        supplied=frozenset({'optimizer'}),
        handled=frozenset({'constructor', 'paramwise_cfg', 'optimizer'}),
    )
    yield from check_object(node, path, place)
    kinds = Place(OPTIM_WRAPPER_CONSTRUCTORS, supplied=None)
    yield from check_object(dict(type=constructor), f'{path}.constructor', kinds)
    known = _PARAMWISE.get(str(constructor).removeprefix('mmdet.'))
    if known is not None:
        yield from _check_paramwise(node.get('paramwise_cfg') or {}, f'{path}.paramwise_cfg', known)
        if 'optimizer' in node:
            yield from _check_optimizer(node['optimizer'], f'{path}.optimizer')
    clip = node.get('clip_grad')
    if isinstance(clip, Mapping):
        yield from _check_clipping(clip, f'{path}.clip_grad')


def _check_optimizer(node: object, path: str) -> Iterator[str]:
    problems = list(check_object(node, path, _OPTIMIZER))
    yield from problems
    if problems or not isinstance(node, Mapping):
        return
    cls = known_class(node, _OPTIMIZER)
    if cls is not None:
        arguments = {key: value for key, value in node.items() if key not in ('type', '_scope_')}
        yield from _trial(partial(cls, [nn.Parameter(torch.zeros(1, 1))], **arguments), path)


def _check_paramwise(node: Mapping, path: str, known: Sequence[str]) -> Iterator[str]:
    if not isinstance(node, Mapping):
        yield f'{path} is {node!r}, not a dict'
        return
    for key in node.keys() - set(known):
        yield f'{path} has no setting {key!r}{suggestion(key, known)}'
    if known is SETTINGS and 'decay_rate' not in node:
        yield f"{path} needs 'decay_rate'"
    custom = node.get('custom_keys') or {}
    for name, settings in custom.items() if isinstance(custom, Mapping) else ():
        for key in settings if isinstance(settings, Mapping) else ():
            # Anything else becomes a setting of the parameter group, which the optimizer may read.
            if key not in ('lr_mult', 'decay_mult') and suggestion(key, ('lr_mult', 'decay_mult')):
                close = suggestion(key, ('lr_mult', 'decay_mult'))
                yield f'{path}.custom_keys[{name!r}] has no setting {key!r}{close}'


def _check_clipping(node: Mapping, path: str) -> Iterator[str]:
    functions = dict(norm=nn.utils.clip_grad_norm_, value=nn.utils.clip_grad_value_)
    kind = node.get('type', 'norm')
    if kind not in functions:
        yield f"{path}.type is {kind!r}, not 'norm' or 'value'"
        return
    arguments = arguments_of(functions[kind])
    known = [name for name in arguments.parameters if name != 'parameters']
    keys = node.keys() - {'type'}
    for key in keys - set(known):
        yield f'{path} has no setting {key!r}{suggestion(key, known)}'
    if known[0] not in node:
        yield f'{path} needs {known[0]!r}'
    hints = arguments.hints | dict(norm_type=float | Literal['inf'])
    yield from check_values({key: node[key] for key in keys & set(known)}, path, hints)


def check_schedulers(node: object, path: str) -> Iterator[str]:
    """Yield what is wrong with a scheduler, a list of them, or a dict of either by optimizers."""
    if isinstance(node, Mapping) and 'type' not in node:
        for key, value in node.items():
            yield from check_schedulers(value, f'{path}.{key}')
    elif isinstance(node, list | tuple):
        for index, item in enumerate(node):
            yield from _check_scheduler(item, f'{path}.{index}')
    elif node is not None:
        yield from _check_scheduler(node, path)


def _check_scheduler(node: object, path: str) -> Iterator[str]:
    problems = list(check_object(node, path, _SCHEDULER))
    yield from problems
    if problems or not isinstance(node, Mapping) or known_class(node, _SCHEDULER) is None:
        return
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    # How many steps an epoch has is not known yet.
    supplied = dict(optimizer=optimizer, epoch_length=1000)
    yield from _trial(partial(PARAM_SCHEDULERS.build, dict(node), default_args=supplied), path)


def _trial(build: Callable[[], object], path: str) -> Iterator[str]:
    """Yield what goes wrong when something small is built."""
    try:
        build()
    except (TypeError, ValueError, AssertionError, RuntimeError, KeyError) as error:
        yield f'{path}: {error}'
