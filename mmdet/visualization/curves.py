"""The curves of a training run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    # Importing matplotlib takes a second that only this function needs.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), layout='constrained')
    left, right = figure.subplots(1, 2)
    for name, values in losses.items():
        window = max(1, len(values) // 100)
        smooth = np.convolve(values, np.ones(window) / window, mode='valid')
        left.plot(np.arange(len(smooth)) + window, smooth, label=name)
    left.set(
        xlabel='iteration', ylabel='loss', title='training loss (moving average)', ylim=(0, None)
    )
    for name, values in scores.items():
        right.plot(score_iters[-len(values) :], values, marker='o', markersize=3, label=name)
    right.set(xlabel='iteration', ylabel='AP', title='validation', xlim=(0, None), ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    return figure
