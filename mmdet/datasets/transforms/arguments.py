"""What constructors of transforms ask of their arguments."""

from collections.abc import Sequence

from mmdet.errors import UserError


def require(transform: object, holds: bool, said: str) -> None:
    """Refuse an argument.

    Raises:
        UserError: it does not hold; what is said begins with the transform's name.
    """
    if not holds:
        raise UserError(f'{type(transform).__name__}: {said}')


def check_within(transform: object, low: float, high: float, **values: object) -> None:
    """Check that arguments, given by their names, are numbers from `low` to `high`.

    Raises:
        UserError: one is not; it is named.
    """
    for name, value in values.items():
        fits = isinstance(value, int | float) and low <= value <= high
        require(transform, fits, f'{name} is {value!r}, not a number from {low:g} to {high:g}')


def check_range(transform: object, low: float, high: float, **ranges: object) -> None:
    """Check that arguments, given by their names, are two rising numbers from `low` to `high`.

    Raises:
        UserError: one is not; it is named.
    """
    for name, pair in ranges.items():
        require(
            transform,
            isinstance(pair, list | tuple)
            and len(pair) == 2
            and all(isinstance(end, int | float) for end in pair)
            and low <= pair[0] <= pair[1] <= high,
            f'{name} is {pair!r}, not two rising numbers from {low:g} to {high:g}',
        )


def as_color(
    transform: object, name: str, value: float | Sequence[float]
) -> tuple[float, float, float]:
    """Return a colour for an argument that is a number or one for each channel, 0 to 255.

    Raises:
        UserError: it is neither.
    """
    color = (value,) * 3 if isinstance(value, int | float) else tuple(value)
    require(transform, len(color) == 3, f'{name} is {value!r}, not a number or three')
    for each in color:
        check_within(transform, 0, 255, **{name: each})
    first, second, third = color
    return float(first), float(second), float(third)


def as_range(
    transform: object, name: str, value: float | Sequence[float], low: float, high: float
) -> tuple[float, float]:
    """Return the range for an argument that is a number from `low` to `high`, or a range.

    Raises:
        UserError: it is neither.
    """
    ends = (value, value) if isinstance(value, int | float) else value
    check_range(transform, low, high, **{name: ends})
    first, last = ends
    return first, last
