"""A picture of which class is taken for which."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmdet.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 0.5  # inches
_WIDEST = 45  # inches: of more classes, cells get smaller, and lose their numbers


def check_color_theme(name: str) -> None:
    """See that matplotlib has a colour map of that name.

    Raises:
        UserError: it has none.
    """
    import matplotlib

    if name not in matplotlib.colormaps:
        some = ', '.join(('plasma', 'viridis', 'cividis', 'Blues', 'gray'))
        raise UserError(f'matplotlib has no color theme {name!r}; some that it has: {some}')


def confusion_matrix_figure(
    shares: np.ndarray, names: Sequence[str], *, color_theme: str = 'plasma'
) -> 'Figure':
    """Return a figure of a confusion matrix, in percent of each row, with no number for 0.

    Args:
        shares: (N, N), 0 to 1, of the classes and the background; NaN in a row of nothing, which
            stays empty.
        names: of the N.
        color_theme: a colour map of matplotlib's.
    """
    # Importing matplotlib takes a second that only this function needs.
    from matplotlib.figure import Figure

    side = min(_CELL * len(names), _WIDEST)
    cell = side / len(names) * 72  # points
    figure = Figure(figsize=(side + 3, side + 2.5), layout='constrained')
    axes = figure.subplots()
    image = axes.imshow(shares * 100, cmap=color_theme, vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label='% of the row', shrink=0.8)
    size = min(10, cell * 0.8)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=45, ha='left', rotation_mode='anchor', fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
    axes.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, length=2)
    axes.set(xlabel='found as', ylabel='annotated as', title='Normalized Confusion Matrix')
    if cell < 14:
        return figure
    lines = np.arange(len(names) - 1) + 0.5
    axes.vlines(lines, -0.5, len(names) - 0.5, colors='white', linewidths=0.8, alpha=0.5)
    axes.hlines(lines, -0.5, len(names) - 0.5, colors='white', linewidths=0.8, alpha=0.5)
    for row, column in zip(*np.nonzero(shares > 0), strict=True):
        share = shares[row, column]
        red, green, blue, _ = image.cmap(image.norm(share * 100))
        is_bright = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
        axes.text(
            *(column, row, f'{share * 100:.0f}'),
            ha='center',
            va='center',
            fontsize=min(9, cell * 0.28),
            color='black' if is_bright else 'white',
        )
    return figure
