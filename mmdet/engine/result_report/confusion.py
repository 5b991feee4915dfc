"""Which class is taken for which, as a part of the page."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mmdet.engine.report_page.html import Html, Share, heat_map, table, tag
from mmdet.engine.report_page.words import percent

_PAIRS = 12  # in the table; the figures have more
_WRITTEN = 15  # classes, of which the numbers can be read in a table


def confusion_of(confusion: Mapping, classes: Sequence[str]) -> Iterator[Html]:
    """Yield the pairs of classes, and a table or a picture of all if they are not too many."""
    yield tag(
        'p',
        f'Counted at an IoU of 0.5 from a score of {confusion["score_thr"]:.2f} on. A prediction '
        'counts for each object that it overlaps so far, of whatever class; an object that none of '
        'its class overlaps so far, as missed.',
    )
    if not confusion['pairs']:
        yield tag('p', 'No class is taken for another.')
    else:
        most = max(each['times'] for each in confusion['pairs'])
        yield table(
            ['Object', 'Taken for', 'Times'],
            [
                [
                    each['object'],
                    each['taken_for'],
                    Share(each['times'], each['times'] / most, f'{percent(each["share"])} of them'),
                ]
                for each in confusion['pairs'][:_PAIRS]
            ],
        )
    if confusion['matrix'] is None:
        return
    matrix = np.array(confusion['matrix'])
    if len(classes) <= _WRITTEN:
        yield from _table(matrix, classes)
        return
    yield tag('h3', 'All classes')
    shares = (1000 * _shares(matrix)).round().astype(int).tolist()
    yield tag(
        'div',
        heat_map(shares, alt='rows: what is there; columns: what it was found as'),
        class_='square',
    )
    yield tag(
        'p',
        f'Rows, from above: what is there, {classes[0]} to {classes[-1]}, then nothing. Columns, '
        'from the left: what it was found as, in the same order, then missed. Each row by itself.',
        class_='soft',
    )


def _table(matrix: np.ndarray, classes: Sequence[str]) -> Iterator[Html]:
    yield tag('h3', 'Rows: what is there; columns: what it was found as')
    heads = ['', *classes, 'missed']
    rows = [
        tag(
            'tr',
            tag('th', name, scope='row'),
            *(
                tag('td', number, style=_shade(share))
                for number, share in zip(numbers, of_row, strict=True)
            ),
        )
        for name, numbers, of_row in zip(
            [*classes, 'nothing'], matrix.tolist(), _shares(matrix).tolist(), strict=True
        )
    ]
    head = tag('thead', tag('tr', *(tag('th', each, scope='col') for each in heads)))
    whole = tag('table', head, tag('tbody', *rows), class_='matrix')
    yield tag('div', whole, class_='scroll')


def _shares(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.maximum(matrix.sum(1, keepdims=True), 1)


def _shade(share: float) -> str:
    strength = round(60 * share)
    return f'background: color-mix(in srgb, var(--accent) {strength}%, transparent)'
