"""Magnitudes by level, of the transforms that AutoAugment and RandAugment choose from."""

import numpy as np

from .arguments import check_within, require

MAX_LEVEL = 10


def magnitude_of(level: int | None, min_mag: float, max_mag: float) -> float:
    """Return the magnitude of a level, or without one a random magnitude, to a tenth.

    Examples:
        >>> magnitude_of(5, 0.0, 30.0)
        15.0
    """
    part = np.random.rand() if level is None else level / MAX_LEVEL
    return round(part * (max_mag - min_mag) + min_mag, 1)


def check_level(
    transform: object,
    prob: float,
    level: int | None,
    min_mag: float,
    max_mag: float,
    *,
    limit: float,
) -> None:
    """Check the arguments that all of these transforms have.

    Args:
        transform: whose they are.
        prob: 0 to 1.
        level: an integer from 0 to 10, or None.
        min_mag: 0 to `limit`.
        max_mag: `min_mag` to `limit`.
        limit: the greatest magnitude.

    Raises:
        UserError: one is something else; it is named.
    """
    check_within(transform, 0, 1, prob=prob)
    if level is not None:
        check_within(transform, 0, MAX_LEVEL, level=level)
        require(transform, level % 1 == 0, f'level is {level!r}, not an integer')
    check_within(transform, 0, limit, min_mag=min_mag, max_mag=max_mag)
    require(transform, min_mag <= max_mag, f'min_mag {min_mag!r} is above max_mag {max_mag!r}')
