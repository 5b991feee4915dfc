"""The config that a checkpoint carries: plain data, of which nothing is run.

A checkpoint of this project holds its config as dicts, lists and values in `meta['cfg_dict']`.
mmdetection's holds the text of a Python file in `meta['cfg']`; where that is but assignments of
literals and of `dict(...)`, as mmengine writes it, it is parsed here, never executed.

Plain data may still name code: building `dict(type='os.system', command=...)` would run it. So of
such a config only what this project, mmengine and mmcv have registered may be built.
"""

import ast
from collections.abc import Iterator, Mapping

from mmengine.config import Config

from mmdet.engine.registered import dicts, is_registered
from mmdet.errors import UserError
from mmdet.registry import (
    DATASETS,
    MODELS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
    WEIGHT_INITIALIZERS,
)

KEY = 'cfg_dict'
_BUILT = (MODELS, TRANSFORMS, DATASETS, WEIGHT_INITIALIZERS, VISUALIZERS, VISBACKENDS)


def embedded_config(checkpoint: Mapping, *, source: str) -> Config:
    """Return the config that a checkpoint carries.

    Args:
        checkpoint: as `read_checkpoint` returns it.
        source: what to call it.

    Returns:
        The config; `model`, the data sets and the visualizer in it are safe to build.

    Raises:
        UserError: it carries none, or one that names code other than what is registered.
    """
    meta = checkpoint.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    if isinstance(meta.get(KEY), Mapping):
        settings: dict = dict(meta[KEY])
    elif isinstance(meta.get('cfg'), str):
        settings = _parse(meta['cfg'], source)
    else:
        settings = {}
    if not settings.get('model'):
        raise UserError(f'{source} carries no config: name the config file it was trained with')
    foreign = sorted({kind for kind in _kinds(settings) if not is_registered(kind, _BUILT)})
    if foreign:
        raise UserError(
            f'the config in {source} names code that is not part of this project: '
            f'{", ".join(foreign[:3])}; name the config file that it was trained with, which '
            'imports it'
        )
    return Config(settings)


def _kinds(settings: Mapping) -> Iterator[str]:
    """Yield the types of all that inference builds, and the scopes that they are looked up in."""
    built = [settings.get(key) for key in ('model', 'data_preprocessor', 'tta_model')]
    # The rest of a loader is for a runner.
    loaders = (settings.get(f'{stage}_dataloader') for stage in ('train', 'val', 'test'))
    built += [loader.get('dataset') for loader in loaders if isinstance(loader, Mapping)]
    keys = ('test_pipeline', 'tta_pipeline', 'visualizer', 'vis_backends')
    built += [settings.get(key) for key in keys]
    for node in dicts(built):
        yield from (str(node[name]) for name in ('type', '_scope_') if node.get(name))


def _parse(text: str, source: str) -> dict:
    try:
        return {
            target.id: _value(statement.value)
            for statement in ast.parse(text).body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(
            f'the config in {source} cannot be read as data ({error}); '
            'name the config file that it was trained with'
        ) from None


def _value(node: ast.expr) -> object:
    """Return the value of a literal in which dicts may be written `dict(...)`."""
    match node:
        case ast.Call(func=ast.Name(id='dict'), args=[ast.Dict() as inner], keywords=[]):
            return _value(inner)
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords):
            if any(each.arg is None for each in keywords):
                raise ValueError('a dict is unpacked')
            return {each.arg: _value(each.value) for each in keywords}
        case ast.Dict(keys=keys, values=values) if all(keys):
            names = [ast.literal_eval(key) for key in keys if key is not None]
            return dict(zip(names, map(_value, values), strict=True))
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
    return ast.literal_eval(node)
