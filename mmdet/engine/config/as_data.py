"""Configs in YAML and JSON are data: reading one, and building what it says, runs none of its code.

mmengine reads YAML with a loader that makes any Python object that a tag asks for, imports what
`custom_imports` names, and builds whatever a `type` can be imported from. A config in Python may do
all of that, and more: it is a program.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from typing import IO, Any

import mmengine.registry
import yaml
from mmengine.fileio import register_handler
from mmengine.fileio.handlers import YamlHandler
from mmengine.registry import Registry

from mmdet import registry as mmdet_registry
from mmdet.engine.registered import dicts, is_registered
from mmdet.errors import UserError

SUFFIXES = ('.yaml', '.yml', '.json')
_REGISTRIES = [
    value
    for module in (mmdet_registry, mmengine.registry)
    for value in vars(module).values()
    if isinstance(value, Registry)
]
_NAMING_CODE = ('type', '_scope_', 'default_scope', 'constructor', 'runner_type')


class _PlainLoader(yaml.SafeLoader):
    """Makes plain values, and tuples, which mmengine's `Config.dump` writes."""

    def construct_tuple(self, node: yaml.SequenceNode) -> tuple:
        return tuple(self.construct_sequence(node, deep=True))


_PlainLoader.add_constructor('tag:yaml.org,2002:python/tuple', _PlainLoader.construct_tuple)


@register_handler(['yaml', 'yml'])
class SafeYamlHandler(YamlHandler):
    """mmengine's handler of YAML files, whose tags make plain values."""

    def load_from_fileobj(self, file: IO[str], **kwargs: Any) -> object:
        """Read a YAML file.

        Raises:
            yaml.YAMLError: it is not YAML, or asks for an object by a tag.
        """
        return super().load_from_fileobj(file, **{**kwargs, 'Loader': _PlainLoader})


def why_unreadable(error: yaml.YAMLError) -> str:
    """Return in one line what is wrong with a YAML file, and where.

    The file that was read may be mmengine's copy, whose name means nothing.
    """
    problem = getattr(error, 'problem', None) or str(error).partition('\n')[0]
    mark = getattr(error, 'problem_mark', None)
    where = f'line {mark.line + 1}: ' if mark is not None else ''
    if isinstance(error, yaml.constructor.ConstructorError) and 'tag' in problem:
        tag = problem.rpartition("'tag:yaml.org,2002:")[2].strip("'")
        return f'{where}it asks for an object by the tag !!{tag}, and YAML is read as data here'
    return f'{where}{problem}'


def refuse_code(settings: Mapping, *, source: str) -> None:
    """Refuse a config in YAML or JSON that names code other than what is registered.

    Args:
        settings: the config, before anything that it names is imported.
        source: what to call it.

    Raises:
        UserError: it does.
    """
    foreign = next(_foreign(settings), None)
    if foreign is not None:
        raise UserError(
            f'config {source} names code that is not part of this project, {foreign}: a config in '
            'YAML or JSON is data. If you trust it, write it in Python: a .py file may name any'
        )


def _foreign(settings: Mapping) -> Iterator[str]:
    if settings.get('custom_imports'):
        yield f'custom_imports={dict(settings["custom_imports"])}'
    for node in dicts(settings):
        for key in _NAMING_CODE:
            kind = node.get(key)
            if isinstance(kind, str) and _names_code(kind) and not is_registered(kind, _REGISTRIES):
                yield f'{key}={kind!r}'


def _names_code(kind: str) -> bool:
    """Return whether something could be imported by a name; `norm`, of a clipping, could not."""
    try:
        return '.' in kind or importlib.util.find_spec(kind) is not None
    except ValueError:  # `__main__`
        return True
