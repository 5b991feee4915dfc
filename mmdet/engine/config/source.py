"""Settings as a config's text, as a person would write it."""

import keyword
import math
from collections.abc import Mapping

_WIDTH = 100
_INDENT = '    '


def config_text(settings: Mapping[str, object], *, base: str, head: str) -> str:
    """Return the text of a config that inherits from another.

    Args:
        settings: plain values, by the names at the top of the config. Of several that are the same
            and not short, the later ones name the first.
        base: the config that it inherits from, seen from where the text will be.
        head: the comment in the first lines.
    """
    lines = [*(f'# {line}' for line in head.splitlines()), f'_base_ = {base!r}', '']
    return '\n'.join(lines) + f'\n{settings_text(settings)}'


def settings_text(settings: Mapping[str, object]) -> str:
    """Return the text of plain values, by the names at the top of a config, a name a line.

    Of several that are the same and not short, the later ones name the first.
    """
    lines: list[str] = []
    written: dict[str, str] = {}
    for name, value in settings.items():
        source = source_of(value, room=_WIDTH - len(name) - len(' = '))
        lines.append(f'{name} = {written.get(source, source)}')
        if '\n' in source:
            written.setdefault(source, name)
    return '\n'.join([*lines, ''])


def source_of(value: object, *, room: int, indent: str = '') -> str:
    """Return the Python source of a plain value, over several lines where one has no room.

    Args:
        value: of dicts, lists, tuples, texts, numbers, booleans and None.
        room: characters in the first line.
        indent: of the line that it begins in.

    Examples:
        >>> source_of(dict(type='Resize', scale=(256, 256)), room=80)
        "dict(type='Resize', scale=(256, 256))"
    """
    flat = _flat(value)
    if len(flat) <= room or not isinstance(value, Mapping | list | tuple) or not value:
        return flat
    inside = indent + _INDENT
    if isinstance(value, Mapping):
        opening, closing = ('dict(', ')') if _is_call(value) else ('{', '}')
        items = [(_key(key, value), each) for key, each in value.items()]
    else:
        opening, closing = ('[', ']') if isinstance(value, list) else ('(', ')')
        items = [('', each) for each in value]
    lines = [
        f'{inside}{key}{source_of(each, room=_WIDTH - len(inside) - len(key) - 1, indent=inside)},'
        for key, each in items
    ]
    return '\n'.join([opening, *lines, f'{indent}{closing}'])


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        items = ', '.join(f'{_key(key, value)}{_flat(each)}' for key, each in value.items())
        return f'dict({items})' if _is_call(value) else f'{{{items}}}'
    if isinstance(value, list):
        return f'[{", ".join(map(_flat, value))}]'
    if isinstance(value, tuple):
        return f'({", ".join(map(_flat, value))}{"," * (len(value) == 1)})'
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    return repr(value)


def _is_call(value: Mapping) -> bool:
    return all(
        isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key) for key in value
    )


def _key(key: object, value: Mapping) -> str:
    return f'{key}=' if _is_call(value) else f'{key!r}: '
