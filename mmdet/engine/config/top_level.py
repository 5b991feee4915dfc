"""The names at the top of a config: the runner's own, and the user's variables."""

import inspect
import typing
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from mmengine.runner import Runner

from .signature import in_words, may_be

# What else mmengine and this project read there; the types say what a slip of the pen looks like.
_FURTHER = {
    'model_wrapper_cfg': dict | None,
    'find_unused_parameters': bool,
    'sync_bn': typing.Literal['torch'] | None,  # mmcv's is in its compiled half
    'activation_checkpointing': str | list | None,
    'efficient_conv_bn_eval': str | list | None,
    'compile': dict | bool | None,
    'runner_type': str,
    'tta_model': dict | None,
    'tta_pipeline': list | None,
    'custom_imports': dict | None,
}
_HINTS = {
    name: hint
    for name, hint in typing.get_type_hints(Runner.__init__).items()
    if name in inspect.signature(Runner.__init__).parameters and name != 'cfg'
} | _FURTHER
_MAY_BE_NONE = ('default_scope',)
READ = tuple(_HINTS)
"""The names that the runner reads; any other is a variable of the file's."""

# So near to a name that is read, a variable is taken for it.
_NEAR = 0.85


def check_names(cfg: Mapping) -> Iterator[str]:
    """Yield the names that are written wrongly, and those whose values are of the wrong kind.

    A variable of the user's own may have any name. It is taken for a slip of the pen if its name is
    very near to one that is read, its value is what that could be, and nothing in the config holds
    this value: a variable that was used would have left it there.
    """
    for name, value in cfg.items():
        if name in _HINTS:
            fits = may_be(value, _HINTS[name]) or (value is None and name in _MAY_BE_NONE)
            if not fits:
                kind = in_words(_HINTS[name])
                yield f'{name} is {value!r} ({type(value).__name__}), not {kind}'
            continue
        near = near_name(name)
        if near and may_be(value, _HINTS[near]) and not paths_of(cfg, value):
            yield f'{name}: nothing reads this; did you mean {near!r}?'


def near_name(name: str) -> str | None:
    """Return the name that is read to which this is very near.

    >>> near_name('optim_wraper'), near_name('train_evaluator'), near_name('optimizer')
    ('optim_wrapper', None, None)
    """
    stage = name.partition('_')[0]
    # One letter makes `tta_pipeline` of `test_pipeline`, which is a usual name for a variable.
    own = [read for read in READ if read.startswith(f'{stage}_')]
    names = own if stage in ('train', 'val', 'test') else READ
    return next(iter(get_close_matches(name, names, n=1, cutoff=_NEAR)), None)


def paths_of(cfg: Mapping, value: object) -> list[str]:
    """Return where under the names that are read a dict, list, tuple or string stands."""
    if not isinstance(value, Mapping | list | tuple | str) or not value:
        return []
    return [
        path
        for name in READ
        if name in cfg
        for path, found in _nodes(cfg[name], name)
        if found == value
    ]


def _nodes(node: object, path: str) -> Iterator[tuple[str, object]]:
    yield path, node
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _nodes(value, f'{path}.{key}')
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _nodes(value, f'{path}.{index}')
