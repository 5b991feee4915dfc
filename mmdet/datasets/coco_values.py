"""Single values of a COCO annotation file, as other programs write them."""

import math

Identifier = int | str
"""An id in the file: a whole number, with some programs a text."""


def whole_number(value: object) -> int | None:
    """Return a whole number, also one written as text or as a fraction, or None.

    Examples:
        >>> [whole_number(value) for value in (640, '640', 640.0, 640.5, None, True)]
        [640, 640, 640, None, None, None]
    """
    number = real_number(value)
    return int(number) if number is not None and number == int(number) else None


def real_number(value: object) -> int | float | None:
    """Return a finite number, also one written as text, or None.

    Examples:
        >>> [real_number(value) for value in (0.5, '0.5', float('nan'), [], False)]
        [0.5, 0.5, None, None, None]
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return value if isinstance(value, int) else number


def is_set(flag: object) -> bool:
    """Return whether a flag says yes: `1`, also written as text, or `true`.

    Examples:
        >>> [is_set(flag) for flag in (1, True, '1', 'True', 0, 'false', None)]
        [True, True, True, True, False, False, False]
    """
    if type(flag) is int:  # nearly always
        return flag == 1
    return str(flag).lower() in ('1', '1.0', 'true')


def identifier_key(identifier: object) -> Identifier | None:
    """Return what ids are compared by: `1`, `1.0` and `'1'` are one id, `'01'` is another.

    None for what is no id.

    Examples:
        >>> [identifier_key(value) for value in (1, 1.0, '1', '01', 'a', 1.5, None)]
        [1, 1, 1, '01', 'a', None, None]
    """
    if type(identifier) is int:  # nearly always
        return identifier
    if isinstance(identifier, str):
        try:
            number = int(identifier)
        except ValueError:
            return identifier
        return number if str(number) == identifier else identifier
    return whole_number(identifier)
