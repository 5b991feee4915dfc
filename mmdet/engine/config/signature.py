"""What a class or a function takes, and whether a value may be what it asks for."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter
from os import PathLike

from torch import nn


@dataclass(frozen=True)
class Arguments:
    """The arguments that something takes by name.

    Attributes:
        parameters: by their names.
        hints: their types, as far as they are known.
        is_open: whether it takes others, too.
    """

    parameters: dict[str, Parameter]
    hints: dict[str, object]
    is_open: bool


def arguments_of(target: Callable) -> Arguments:
    """Return what a class's constructor, or a function, takes.

    A constructor that takes further keyword arguments hands them to the next class's: mmengine's
    schedulers, initialisers and optimizer wrappers do.
    """
    parameters: dict[str, Parameter] = {}
    hints: dict[str, object] = {}
    is_open = False
    for function in _constructors(target) if inspect.isclass(target) else [target]:
        signature = inspect.signature(function).parameters.values()
        found = {p.name: p for p in signature if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        parameters = {**found, **parameters}
        hints = {**_hints(function), **hints}
        is_open = any(p.kind is p.VAR_KEYWORD for p in signature)
        if not is_open:
            break
    parameters.pop('self', None)
    return Arguments(parameters, hints, is_open)


def _constructors(cls: type) -> list[Callable]:
    # nn.Module takes anything only to refuse it.
    bases = (base for base in cls.__mro__ if base not in (object, nn.Module))
    return [vars(base)['__init__'] for base in bases if '__init__' in vars(base)]


def _hints(function: Callable) -> dict[str, object]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name in quotes that is imported for type checkers only
        return {}


def may_be(value: object, hint: object) -> bool:
    """Return whether a config's value may stand for an argument of that type.

    In doubt it may: lists and tuples stand for each other, and a dict for the object that is
    built from it.

    >>> may_be('0.01', float), may_be(1, float), may_be([1, 2], tuple[int, int])
    (False, True, True)
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(may_be(value, part) for part in arguments)
    if origin is typing.Literal:
        return value in arguments
    kind = origin or hint
    if not inspect.isclass(kind) or kind in (object, typing.Any):
        return True
    if kind is types.NoneType:
        return value is None
    if kind is bool:
        return isinstance(value, int) and value in (True, False)
    if kind in (int, float):
        return isinstance(value, int | float) and (kind is float or value % 1 == 0)
    if kind is str:
        return isinstance(value, str | PathLike | type)  # a class for its name
    if issubclass(kind, Mapping):
        return isinstance(value, Mapping)
    is_plain = value is None or isinstance(value, str | int | float)
    if issubclass(list, kind) or issubclass(kind, list | tuple):
        if isinstance(value, list | tuple):
            parts = [part for part in arguments if part is not ...]
            return not parts or all(any(may_be(item, part) for part in parts) for item in value)
        return not is_plain and (issubclass(dict, kind) or not isinstance(value, Mapping))
    return not is_plain or isinstance(value, kind)


def in_words(hint: object) -> str:
    """Return how a type is called: `int`, `a number`, `list or None`."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        words = [in_words(part) for part in typing.get_args(hint)]
        return ' or '.join(dict.fromkeys(words))
    if typing.get_origin(hint) is typing.Literal:
        return ' or '.join(map(repr, typing.get_args(hint)))
    kind = typing.get_origin(hint) or hint
    names: dict[object, str] = {
        float: 'number',
        int: 'integer',
        str: 'string',
        type(None): 'None',
        bool: 'bool',
    }
    return names.get(kind, getattr(kind, '__name__', str(kind)).lower())


def suggestion(name: object, known: typing.Iterable[str]) -> str:
    """Return the end of a complaint about a name: the known one that is next to it, if any."""
    lowered = {each.lower(): each for each in known}
    name = str(name).lower()
    close = get_close_matches(name, lowered, n=1)
    close = close or [each for each in lowered if each.startswith(name)]
    return f'; did you mean {lowered[close[0]]!r}?' if close else ''
