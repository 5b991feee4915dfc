"""Numbers counted between limits."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def labels_of(limits: Sequence[float], unit: str = '') -> list[str]:
    """Name what is below, between and above limits.

    Examples:
        >>> labels_of((8, 32))
        ['below 8', '8 to 32', '32 and more']
    """
    words = [f'{limit:,g}{unit}' for limit in limits]
    between = [f'{low} to {high}' for low, high in pairwise(words)]
    return [f'below {words[0]}', *between, f'{words[-1]} and more']


def numbers_in(values: np.ndarray, limits: Sequence[float]) -> np.ndarray:
    """Return (N,) the bin of each of (N,) values; one at a limit is above it."""
    return np.digitize(values, limits)


def histogram(values: np.ndarray, limits: Sequence[float], unit: str = '') -> list[dict]:
    """Return how many values each bin has.

    Examples:
        >>> [each['number'] for each in histogram(np.array([1, 8, 9]), (8, 32))]
        [1, 2, 0]
    """
    counts = np.bincount(numbers_in(values, limits), minlength=len(limits) + 1)
    return [
        dict(name=name, number=number)
        for name, number in zip(labels_of(limits, unit), counts.tolist(), strict=True)
    ]


def spread(values: np.ndarray) -> dict | None:
    """Return the least, the middle and the largest value, and what 5 and 95 % are below."""
    if not len(values):
        return None
    names = ('least', 'of_5_percent', 'median', 'of_95_percent', 'largest')
    numbers = np.quantile(values, (0, 0.05, 0.5, 0.95, 1)).tolist()
    return {name: round(number, 3) for name, number in zip(names, numbers, strict=True)}
