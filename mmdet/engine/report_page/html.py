"""The pieces that a page is put together of; whatever text they are given, it stays text."""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import cv2
import numpy as np

from .words import percent

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]
_ACCENT = (37, 99, 235)  # red, green and blue of `--accent`


class Html(str):
    """Text that is HTML already."""


def text(value: object) -> Html:
    """Return a value as HTML: numbers with commas, None as a dash."""
    if isinstance(value, Html):
        return value
    if value is None:
        return Html('&ndash;')
    if isinstance(value, int):
        return Html(f'{value:,}')
    if isinstance(value, float):
        return Html(f'{value:,.3g}' if abs(value) < 1000 else f'{value:,.0f}')
    return Html(escape(str(value)))


def tag(name: str, *content: object, **attributes: str) -> Html:
    """Return an element; `class_` and the like are attributes whose names Python has taken.

    Examples:
        >>> tag('p', 'a < b', class_='small')
        '<p class="small">a &lt; b</p>'
    """
    words = ''.join(
        f' {key.strip("_")}="{escape(value)}"' for key, value in attributes.items() if value
    )
    return Html(f'<{name}{words}>{"".join(map(text, content))}</{name}>')


def section(identifier: str, title: str, *content: object) -> Html:
    """Return a section that links can lead to."""
    return tag('section', tag('h2', title), *content, id=identifier)


class Share(NamedTuple):
    """A cell of a table: a number, and a bar beside it.

    Attributes:
        number: to write.
        share: of the whole bar, from 0 to 1.
        note: to write behind the number.
    """

    number: object
    share: float
    note: str = ''


def table(heads: Sequence[object], rows: Sequence[Sequence[object]]) -> Html:
    """Return a table whose first column names the rows; what is too wide can be scrolled."""
    head = tag('tr', *(tag('th', each, scope='col') for each in heads))
    body = [tag('tr', tag('th', row[0], scope='row'), *map(_cell, row[1:])) for row in rows]
    whole = tag('table', tag('thead', head), tag('tbody', *body))
    return tag('div', whole, class_='scroll')


def long_table(
    heads: Sequence[object], rows: Sequence[Sequence[object]], shown: int = 100
) -> Iterator[Html]:
    """Yield a table, and the rows behind those that are shown to be opened."""
    yield table(heads, rows[:shown])
    if len(rows) > shown:
        summary = tag('summary', f'{len(rows) - shown:,} more')
        yield tag('details', summary, table(heads, rows[shown:]))


def share_of(number: int, total: int) -> Share:
    """Return a number of some as a cell, with its share behind it."""
    share = number / total if total else 0.0
    return Share(number, share, percent(share))


def share_alone(share: float | None) -> Share | None:
    """Return a share as a cell; None stays None, which is a dash."""
    return None if share is None else Share(percent(share), share)


def _cell(value: object) -> Html:
    if not isinstance(value, Share):
        return tag('td', value)
    note = tag('small', value.note) if value.note else ''
    return tag('td', _bar(value.share), tag('span', value.number), note)


def _bar(share: float) -> Html:
    # What there is of something is seen, however little.
    width = 0 if share <= 0 else max(1.0, min(100.0, 100 * share))
    return Html(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rest" width="100" height="8"/><rect width="{width:.1f}" height="8"/></svg>'
    )


def figures_of(pictures: Sequence[tuple[Html, object]], class_: str = '') -> Html:
    """Return pictures side by side, each with what is written below it; `wide` ones are larger."""
    return tag(
        'div',
        *(tag('figure', picture, tag('figcaption', below)) for picture, below in pictures),
        class_=f'figures {class_}'.rstrip(),
    )


def picture(image: np.ndarray, *, alt: str, class_: str = '') -> Html:
    """Return a (h, w, 3) BGR image, or (h, w, 4) with transparency, within the page.

    Args:
        image: uint8.
        alt: what it shows, in words.
        class_: of the page's style.
    """
    kind = 'png' if image.shape[2] == 4 else 'jpeg'
    content = cv2.imencode(f'.{kind}', image, _QUALITY if kind == 'jpeg' else [])[1]
    data = base64.b64encode(content.tobytes()).decode()
    height, width = image.shape[:2]
    return Html(
        f'<img src="data:image/{kind};base64,{data}" alt="{escape(alt)}" '
        f'width="{width}" height="{height}" class="{escape(class_)}">'
    )


def heat_map(counts: Sequence[Sequence[int]], *, alt: str) -> Html:
    """Return numbers row by row as a picture, the largest in the strongest colour."""
    numbers = np.array(counts, float)
    strength = np.sqrt(numbers / max(numbers.max(), 1))
    image = np.empty((*numbers.shape, 4), np.uint8)
    image[..., :3] = _ACCENT[::-1]
    image[..., 3] = (255 * strength).round()
    return picture(image, alt=alt, class_='heat')
