"""The report as one page of HTML that needs nothing else: no network, no script."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mmdet.engine.report_page import Section, page
from mmdet.engine.report_page.chart import charts
from mmdet.engine.report_page.frame import findings
from mmdet.engine.report_page.html import (
    Html,
    Share,
    figures_of,
    long_table,
    picture,
    share_alone,
    share_of,
    table,
    tag,
)
from mmdet.engine.report_page.words import percent
from mmdet.visualization.curves import Line, Panel

from .collect import MADE_BY, Report
from .confusion import confusion_of

_ROWS = 30  # of classes, before the others are hidden
_KINDS = dict(
    missed='Missed',
    localisation='Localisation',
    background='Background',
    duplicate='Duplicate',
    both='Both',
)
_KINDS['class'] = 'Class'


def page_of(report: Report) -> str:
    """Return the page."""
    figures = report.figures
    run = figures['run']
    limits = findings(figures['limits'], none='Nothing that is measured here limits it.')
    return page(
        title=f'Results of {Path(run["checkpoint"]).name}',
        heading='Results',
        subject=f'{run["checkpoint"]}, by {run["config"]}',
        made_by=MADE_BY,
        sections=[
            Section('limits', 'What limits this model', [limits]),
            Section('figures', 'Figures', [*_figures(figures)], 'Figures'),
            Section('classes', 'Classes', [*_classes(figures)], 'Classes'),
            Section('curves', 'Precision, recall and score', [*_curves(figures)], 'Curves'),
            Section('errors', 'What errors cost', [*_errors(figures['errors'])], 'Errors'),
            Section(
                'confusion',
                'What is taken for what',
                [*confusion_of(figures['confusion'], _names(figures))],
                'Confusion',
            ),
            Section('images', 'Worst and best images', [*_images(report)], 'Images'),
            Section('grid', 'What the grid lets be found', [*_grid(figures['grid'])], 'Grid'),
            Section('training', 'Training', [*_training(figures['training'])], 'Training'),
            Section('run', 'What was run', [*_run(figures)], 'Run'),
        ],
    )


def _names(figures: Mapping) -> list[str]:
    return [each['name'] for each in figures['by_class']]


def _figures(figures: Mapping) -> Iterator[Html]:
    data = figures['data']
    yield tag(
        'p',
        f'{data["images"]:,} images, {data["images_without_objects"]:,} of them without objects; '
        f'{data["objects"]:,} objects of {data["classes_with_objects"]:,} of {data["classes"]:,} '
        f'classes; {data["predictions"]:,} predictions. An object is found if a prediction of its '
        'class, whatever its score, overlaps it by half (IoU 0.5).',
    )
    rows = [
        [_size(each), _ap(each['ap']), each['objects'], share_of(each['found'], each['objects'])]
        for each in figures['by_size']
    ]
    yield table(['Size of objects', 'Mask AP', 'Objects', 'Found'], rows)
    yield tag('h3', 'All figures of the test')
    yield table(['Figure', 'Value'], [[name, _ap(value)] for name, value in _known(figures)])


def _known(figures: Mapping) -> list[tuple[str, float | None]]:
    return [(name, value if value >= 0 else None) for name, value in figures['figures'].items()]


def _size(row: Mapping) -> str:
    low, high = (round(area**0.5) for area in row['area'])
    if row['name'] == 'all':
        return 'all'
    where = f'below {high}²' if not low else f'above {low}²' if high > 1e4 else f'{low}² to {high}²'
    return f'{row["name"]}, {where} pixels'


def _ap(value: float | None) -> object:
    return None if value is None else Share(f'{value:.3f}', value)


def _classes(figures: Mapping) -> Iterator[Html]:
    there = [each for each in figures['by_class'] if each['objects']]
    missing = len(figures['by_class']) - len(there)
    best = figures['thresholds']['best']
    if not there:
        yield tag('p', 'There are no objects.')
        return
    yield tag('p', 'Those of the lowest AP first; precision and recall at an IoU of 0.5.')
    heads: list[object] = ['Class', 'Mask AP', 'AP 50', 'Objects', 'Found']
    if best:
        score = f'{best["score_thr"]:.2f}'
        heads += [f'Precision from {score} on', f'Recall from {score} on', 'Own best score']
    there.sort(key=lambda each: each['ap'])
    rows = [_class(each, has_best=best is not None) for each in there]
    yield from long_table(heads, rows, _ROWS)
    if best:
        yield tag(
            'p',
            f'{best["score_thr"]:.2f} is the score from which on F1 is best, all classes together. '
            'A threshold of its own pays for a class where its F1 is clearly better with it.',
            class_='soft',
        )
    if missing:
        yield tag('p', f'{missing:,} classes have no object in the test.', class_='soft')


def _class(row: Mapping, *, has_best: bool) -> list[object]:
    cells: list[object] = [
        row['name'],
        _ap(row['ap']),
        f'{row["ap_50"]:.3f}',
        row['objects'],
        share_of(row['found'], row['objects']),
    ]
    if not has_best:
        return cells
    at, own = row['at_best_of_all'], row['best']
    cells += [percent(at['precision']), percent(at['recall'])]
    if own:
        note = f'F1 {own["f1"]:.2f}, not {at["f1"]:.2f}'
        cells.append(tag('span', f'{own["score_thr"]:.2f} ', tag('small', note)))
    else:
        cells.append(None)
    return cells


def _curves(figures: Mapping) -> Iterator[Html]:
    curve, thresholds = figures['precision_recall'], figures['thresholds']
    if curve is None:
        yield tag('p', 'There are no objects.')
        return
    best = thresholds['best']
    if best:
        yield tag(
            'p',
            f'With predictions from a score of {best["score_thr"]:.2f} on, F1 is best, '
            f'{best["f1"]:.3f}: {percent(best["precision"])} of them are right, and '
            f'{percent(best["recall"])} of the objects are found. Nothing is lost by a lower '
            'score_thr in a test, as AP counts them all.',
        )
    precision = Panel(
        'precision over recall',
        'recall',
        'precision',
        [
            Line('IoU 0.5', curve['recall'], curve['iou_50']),
            Line('IoU 0.75', curve['recall'], curve['iou_75']),
            Line('IoU 0.5 to 0.95, mean', curve['recall'], curve['iou_50_to_95']),
        ],
        from_zero=True,
    )
    scores = [each['score_thr'] for each in thresholds['sweep']]
    threshold = Panel(
        'from which score on',
        'score',
        'at an IoU of 0.5',
        [
            Line(name, scores, [each[key] for each in thresholds['sweep']])
            for name, key in (('precision', 'precision'), ('recall', 'recall'), ('F1', 'f1'))
        ],
        from_zero=True,
    )
    yield charts([precision, threshold])
    yield tag(
        'p',
        'The first is the mean of the classes, in the second all count together.',
        class_='soft',
    )


def _errors(errors: Mapping) -> Iterator[Html]:
    if errors['ap'] is None:
        yield tag('p', 'There are no objects.')
        return
    yield tag(
        'p',
        f'The AP at an IoU of 0.5 is {errors["ap"]:.3f}. Each kind of error costs what '
        'the AP would be more without it alone (TIDE), in points of a hundred; for a size, what '
        'the AP of that size would be more. They are no parts of a whole. Behind it stands how '
        'often the error is made, by predictions of whatever score.',
    )
    kinds = sorted(errors['kinds'], key=lambda each: -each['gain'])
    sizes = list(kinds[0]['by_size'])
    most = max([0.01, *(each['gain'] for each in kinds)])
    yield table(
        ['Error', 'Costs', 'Times', *sizes],
        [
            [
                _KINDS[each['kind']],
                Share(f'{100 * each["gain"]:.1f}', each['gain'] / most),
                each['count'],
                *(_cost(each['by_size'][size]) for size in sizes),
            ]
            for each in kinds
        ],
    )
    yield tag(
        'ul',
        *(tag('li', tag('b', _KINDS[each['kind']]), f': {each["what"]}.') for each in kinds),
        class_='soft',
    )
    yield tag('h3', 'By class')
    names = [each['kind'] for each in kinds]
    rows = [each for each in errors['by_class'] if each['objects']]
    rows.sort(key=lambda each: each['ap'])
    yield from long_table(
        ['Class', 'AP 50', *(_KINDS[name] for name in names)],
        [
            [
                each['name'],
                f'{each["ap"]:.3f}',
                *(
                    _cost(dict(gain=each['gains'][name], count=each['counts'][name]))
                    for name in names
                ),
            ]
            for each in rows
        ],
        _ROWS,
    )


def _cost(error: Mapping) -> object:
    if not error['count']:
        return None
    return tag('span', f'{100 * error["gain"]:.1f}', tag('small', f'{error["count"]:,} x'))


def _images(report: Report) -> Iterator[Html]:
    best = report.figures['thresholds']['best']
    score = f'from a score of {best["score_thr"]:.2f} on' if best else 'if anything'
    yield tag('p', f'On the left what is there, on the right what was found, {score}.')
    for name, title in (('worst', 'Worst'), ('best', 'Best')):
        listed = report.figures['images'][name]
        if not listed:
            continue
        yield tag('h3', title)
        shown = zip(listed, report.pictures[name], strict=True)
        yield figures_of([_shown(each, image) for each, image in shown], 'wide')
    without = report.figures['data']['images_without_objects']
    if without:
        yield tag('p', f'{without:,} images have no object, and no AP.', class_='soft')


def _shown(each: Mapping, image: np.ndarray | None) -> tuple[Html, object]:
    path = '/'.join(Path(each['image'] or str(each['img_id'])).parts[-2:])
    below = (
        f'AP {each["ap"]:.2f}, {each["found"]:,} of {each["objects"]:,} objects found by '
        f'{each["predictions"]:,} predictions: {path}'
    )
    if image is None:
        return tag('p', 'The image cannot be read.', class_='soft'), below
    return picture(image, alt=below), below


def _grid(grid: Mapping | None) -> Iterator[Html]:
    if grid is None or not grid['objects']:
        yield tag('p', 'There is no grid of SOLO, or there are no objects.')
        return
    yield tag(
        'p',
        'An object that no cell would learn can hardly be found, so that recall is bounded: '
        f'{percent(grid["learnt"] / grid["objects"])} of the objects have a cell. '
        f'{grid["in_no_range"]:,} are in the range of no level, {grid["lost_to_others"]:,} lose '
        f'all their cells to others, {grid["empty_masks"]:,} have no pixel in the input.',
    )
    sizes = [each for each in grid['by_size'] if each['objects']]
    lost = [each for each in grid['by_class'] if each['objects'] and each['recall_bound'] < 1]
    lost.sort(key=lambda each: each['recall_bound'])
    blocks = [_bounds('By √(box area) in the input', sizes)]
    if lost:
        blocks.append(_bounds('By class, of those that lose any', lost))
    yield tag('div', *blocks, class_='tables')


def _bounds(title: str, rows: Sequence[Mapping]) -> Html:
    cells = [
        [
            each['name'],
            share_alone(each['recall_bound']),
            share_alone(each['recall']),
            each['objects'],
        ]
        for each in rows
    ]
    tables = long_table(['', 'Recall at most', 'Reached', 'Objects'], cells)
    return tag('div', tag('h3', title), *tables)


def _training(training: Mapping | None) -> Iterator[Html]:
    if training is None:
        yield tag('p', 'No log of the training lies beside the checkpoint.')
        return
    panels = [
        _panel('losses of the training', 'loss', training['losses'], has_dots=False),
        _panel('validations of the training', 'mask AP', training['scores'], has_dots=True),
    ]
    yield charts([panel for panel in panels if panel.lines])


def _panel(title: str, ylabel: str, curves: Mapping[str, Mapping], *, has_dots: bool) -> Panel:
    units = {curve['unit'] for curve in curves.values()}
    lines = [Line(name, curve['xs'], curve['ys'], has_dots) for name, curve in curves.items()]
    return Panel(title, ' or '.join(sorted(units)), ylabel, lines, from_zero=True)


def _run(figures: Mapping) -> Iterator[Html]:
    run = figures['run']
    rows: Sequence[Sequence[object]] = [
        ['Config', run['config']],
        ['Checkpoint', run['checkpoint']],
        ['Views of an image', 'several (test-time augmentation)' if run['has_views'] else 'one'],
        ['Measured by', figures['data']['source']],
        ['Device', run['device']],
        ['When', run['date']],
        *([name, number] for name, number in run['versions'].items()),
    ]
    yield table(['', ''], rows)
    yield tag('p', 'The figures of this page stand in the file .json beside it.', class_='soft')
