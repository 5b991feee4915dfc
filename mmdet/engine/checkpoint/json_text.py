"""Plain values as JSON text that gives back what went in.

JSON has neither tuples nor keys that are no strings, and a transform takes `scale=(640, 480)` for
something else than a list. So a tuple is written `{"__tuple__": [...]}`, and a dict with other keys
`{"__dict__": [[key, value], ...]}`.
"""

import json

META = 'mmdet_meta'  # what a checkpoint's `meta` is called in safetensors' metadata
_TUPLE, _DICT = '__tuple__', '__dict__'


def to_json(value: object) -> str:
    """Return a value's text.

    Raises:
        TypeError: it holds something else than dicts, lists, tuples, strings, numbers and None.

    Examples:
        >>> to_json(dict(scale=(640, 480)))
        '{"scale": {"__tuple__": [640, 480]}}'
        >>> from_json(to_json({1: (2, [3.5, None])}))
        {1: (2, [3.5, None])}
    """
    return json.dumps(_marked(value))


def from_json(text: str) -> object:
    """Return the value of such a text.

    Raises:
        ValueError: it is not JSON.
    """
    return json.loads(text, object_hook=_unmarked)


def _marked(value: object) -> object:
    if isinstance(value, tuple):
        return {_TUPLE: [_marked(item) for item in value]}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if not isinstance(value, dict):
        return value
    if all(isinstance(key, str) and key not in (_TUPLE, _DICT) for key in value):
        return {key: _marked(item) for key, item in value.items()}
    return {_DICT: [[_marked(key), _marked(item)] for key, item in value.items()]}


def _unmarked(node: dict) -> object:
    match node:
        case {'__tuple__': list(items)}:
            return tuple(items)
        case {'__dict__': list(items)}:
            return {key: item for key, item in items}
    return node
