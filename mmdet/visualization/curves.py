"""The curves of trainings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Line(NamedTuple):
    """One curve.

    Attributes:
        name: in the legend.
        xs: where each value is.
        ys: as many values; what is not finite is a gap.
        has_dots: each value stands out.
    """

    name: str
    xs: Sequence[float] | np.ndarray
    ys: Sequence[float] | np.ndarray
    has_dots: bool = False


class Panel(NamedTuple):
    """One pair of axes with its curves; the vertical begins at 0 unless there is less.

    Attributes:
        title: above it.
        xlabel: what `xs` of its lines are.
        ylabel: what `ys` are.
        lines: the curves; there may be none.
        from_zero: the horizontal begins at 0.
    """

    title: str
    xlabel: str
    ylabel: str
    lines: Sequence[Line]
    from_zero: bool = False


def draw_curves(
    path: str | Path,
    losses: Mapping[str, Sequence[float]],
    scores: Mapping[str, Sequence[float]],
    score_iters: Sequence[int],
) -> None:
    """Write a picture of `curves_figure` to `path`; see there for the other arguments."""
    curves_figure(losses, scores, score_iters).savefig(path, dpi=100)


def curves_figure(
    losses: Mapping[str, Sequence[float]],
    scores: Mapping[str, Sequence[float]],
    score_iters: Sequence[int],
) -> 'Figure':
    """Return a figure with the losses on the left and the validation's scores on the right.

    Args:
        losses: a value for each iteration, by name; the moving average over a hundredth of them
            is drawn, at the last iteration that it holds.
        scores: a value for each validation, by name; the first may be missing.
        score_iters: the iteration of each validation.
    """
    left = Panel(
        'training loss (moving average)',
        'iteration',
        'loss',
        [_smoothed(name, values) for name, values in losses.items()],
    )
    right = Panel(
        'validation',
        'iteration',
        'AP',
        [
            Line(name, score_iters[-len(values) :], values, has_dots=True)
            for name, values in scores.items()
        ],
        from_zero=True,
    )
    # Importing matplotlib takes a second that only this function needs.
    from matplotlib.figure import Figure

    figure = Figure()
    fill_figure(figure, (left, right))
    return figure


def fill_figure(figure: 'Figure', panels: Sequence[Panel]) -> None:
    """Draw panels side by side into a figure, which takes the size that they need.

    Args:
        figure: an empty one.
        panels: one or more.
    """
    figure.set_size_inches(6 * max(len(panels), 1.5), 4.5)
    figure.set_layout_engine('constrained')
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for line in panel.lines:
            marker = 'o' if line.has_dots else None
            axes.plot(line.xs, line.ys, marker=marker, markersize=3, label=line.name)
        axes.set(xlabel=panel.xlabel, ylabel=panel.ylabel, title=panel.title)
        # One point alone would have ticks between whole numbers, to have two.
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
        if panel.from_zero:
            axes.set_xlim(0, None)
        if not any(np.less(line.ys, 0).any() for line in panel.lines):
            axes.set_ylim(0, None)
        if axes.lines:
            axes.legend()


def _smoothed(name: str, values: Sequence[float]) -> Line:
    window = max(1, len(values) // 100)
    smooth = np.convolve(values, np.ones(window) / window, mode='valid')
    return Line(name, np.arange(len(smooth)) + window, smooth)
