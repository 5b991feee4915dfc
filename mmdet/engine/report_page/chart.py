"""Charts within a page, in its colours: light, dark, and on paper."""

import io
import re
from html import escape

from mmdet.visualization.curves import Panel, fill_figure

from .html import Html, tag

_SIZE = 5.0, 3.4  # inches, in which letters can be read on a telephone
_COUNTS = 2  # what ends below is no count of epochs or iterations
_METADATA = 'Creator', 'Date', 'Format', 'Type'


def charts(panels: list[Panel]) -> Html:
    """Return panels side by side as SVG, below each other where there is no room.

    What is black in matplotlib is the page's ink here, grounds and fonts are the page's.

    Args:
        panels: each of another title.
    """
    return tag('div', *map(_chart, panels), class_='charts')


def _chart(panel: Panel) -> Html:
    # Importing matplotlib takes a second that only this function needs.
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import AutoLocator

    figure = Figure()
    fill_figure(figure, [panel])
    figure.set_size_inches(_SIZE)
    for axes in figure.axes:
        axes.patch.set_visible(False)
        if axes.get_xlim()[1] < _COUNTS:
            axes.xaxis.set_major_locator(AutoLocator())
        if legend := axes.get_legend():
            legend.get_frame().set_visible(False)
    figure.patch.set_visible(False)
    file = io.StringIO()
    # By their salt no two figures of a page call two things the same, and each run the same.
    with mpl.rc_context({'svg.fonttype': 'none', 'svg.hashsalt': panel.title}):
        figure.savefig(file, format='svg', metadata=dict.fromkeys(_METADATA))
    return _in_page(file.getvalue(), panel.title)


def _in_page(svg: str, title: str) -> Html:
    head, _, body = svg[svg.index('<svg') :].partition('>')
    (view,) = re.findall(r'viewBox="[^"]*"', head)
    body = re.sub(r'<style.*?</style>', '', body, flags=re.DOTALL)  # it would be the whole page's
    body = body.replace('#000000', 'currentColor').replace('xlink:href', 'href')
    body = re.sub(r"font-family: [^;\"]*; |(?<=px) '[^;\"]*", '', body)
    # Those are kept alone that are referred to.
    body = re.sub(r' id="(?![mp][0-9a-f]{10}")[^"]*"', '', body)
    body = re.sub(r'\n *', '\n', body).rstrip()
    return Html(f'<svg class="chart" {view} role="img" aria-label="{escape(title)}">{body}')
