"""Pictures of what each kind of error costs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 40  # classes that are drawn
# Of the kinds, in their order, dark enough for white pages and light enough for dark ones
_COLORS = '#4e79a7', '#f28e2b', '#e15759', '#76b7b2', '#59a14f', '#b07aa1'


def gains_figure(gains: Mapping[str, Mapping[str, float]], title: str) -> 'Figure':
    """Return a figure of groups of bars: of each kind of error, what AP gains without it.

    Args:
        gains: by what the groups are of, such as sizes, by the kind of error; 0 to 1.
        title: above it.
    """
    # Importing matplotlib takes a second that only this function needs.
    from matplotlib.figure import Figure

    kinds = list(next(iter(gains.values())))
    figure = Figure(figsize=(max(6, 1.1 * len(gains) * len(kinds) / 3 + 1.5), 4.5))
    figure.set_layout_engine('constrained')
    axes = figure.subplots()
    width = 0.8 / len(kinds)
    for place, (kind, color) in enumerate(zip(kinds, _COLORS, strict=True)):
        values = [100 * of[kind] for of in gains.values()]
        places = [index + (place - (len(kinds) - 1) / 2) * width for index in range(len(gains))]
        bars = axes.bar(places, values, width, label=kind, color=color)
        axes.bar_label(bars, fmt='%.1f', fontsize=7, padding=1)
    axes.set_xticks(range(len(gains)), list(gains))
    axes.set(ylabel='AP would gain, in points', title=title)
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    axes.grid(axis='y', alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(ncols=len(kinds), fontsize=8, loc='outside lower center')
    return figure


def class_gains_figure(gains: Mapping[str, Mapping[str, float]], title: str) -> 'Figure':
    """Return a figure with a bar for each class, those first that lose most, kind beside kind.

    Args:
        gains: by class, by the kind of error; 0 to 1.
        title: above it.
    """
    from matplotlib.figure import Figure

    worst = sorted(gains, key=lambda name: -sum(gains[name].values()))[:_MOST]
    kinds = list(gains[worst[0]]) if worst else []
    figure = Figure(figsize=(9, 0.26 * max(len(worst), 3) + 1.8), layout='constrained')
    axes = figure.subplots()
    starts = [0.0] * len(worst)
    for kind, color in zip(kinds, _COLORS, strict=False):
        values = [100 * gains[name][kind] for name in worst]
        axes.barh(range(len(worst)), values, 0.8, starts, label=kind, color=color)
        starts = [start + value for start, value in zip(starts, values, strict=True)]
    axes.set_yticks(range(len(worst)), worst, fontsize=8)
    axes.set_ylim(max(len(worst), 1) - 0.4, -0.6)
    few = f'; {_MOST} of {len(gains)} classes, those that lose most'
    few = few if len(gains) > _MOST else ''
    axes.set(xlabel='AP would gain, in points, each kind by itself', title=f'{title}{few}')
    axes.grid(axis='x', alpha=0.3)
    axes.set_axisbelow(True)
    if kinds:
        figure.legend(ncols=len(kinds), fontsize=8, loc='outside lower center')
    return figure
