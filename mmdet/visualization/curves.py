"""The curves of a training run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np


def draw_curves(
    path: str | Path,
    losses: Mapping[str, Sequence[float]],
    scores: Mapping[str, Sequence[float]],
    score_iters: Sequence[int],
) -> None:
    """Write a picture with the losses on the left and the validation's scores on the right.

    Args:
        path: of the picture.
        losses: a value for each iteration, by name.
        scores: a value for each validation, by name.
        score_iters: the iteration of each validation.
    """
    # Importing matplotlib takes a second that only this function needs.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), layout='constrained')
    left, right = figure.subplots(1, 2)
    for name, values in losses.items():
        window = max(1, len(values) // 100)
        kernel = np.ones(window) / window
        smooth = np.convolve(values, kernel, mode='valid')
        left.plot(np.arange(len(smooth)) + window, smooth, label=name)
    left.set(
        xlabel='iteration', ylabel='loss', title='training loss (moving average)', ylim=(0, None)
    )
    for name, values in scores.items():
        right.plot(score_iters[-len(values) :], values, marker='o', markersize=3, label=name)
    right.set(xlabel='iteration', ylabel='AP', title='validation', ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    figure.savefig(path, dpi=100)
