"""What limits a model, and what would help, from the report's figures alone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mmdet.engine.report_page.words import of_all, percent

_LEAST = 0.5  # points of AP, below which an error is not worth a sentence
_FEW_OBJECTS = 10
_NAMED = 6  # classes in a sentence
_SIZES = dict(
    small='below 32 x 32 pixels', medium='32 x 32 to 96 x 96 pixels', large='above 96 x 96 pixels'
)
_SAID = {
    'missed': 'Objects that are missed cost {points}',
    'class': 'Objects that are taken for another class cost {points}',
    'localisation': 'Masks that overlap their object too little cost {points}',
    'both': 'Masks of another class that overlap an object too little cost {points}',
    'duplicate': 'Objects that are found twice cost {points}',
    'background': 'Predictions where there is nothing cost {points}',
}
_REMEDIES = {
    'missed': 'More of such objects in the training help, and training longer.',
    'class': 'Do the annotations tell the two apart? More examples of them help, or one class '
    'for both.',
    'localisation': 'A larger scale of Resize, finer masks (SOLOv2) and training longer help.',
    'both': 'What helps against the two errors that it is made of helps here, too.',
    'duplicate': 'Raise filter_thr of model.test_cfg, or change sigma and kernel there: Matrix NMS '
    'lowers the scores of what overlaps.',
    'background': 'Do the worst images have objects that are not annotated? If not, more images '
    'with such a background help in the training.',
}
_SMALL = 'Enlarge the scale of Resize, or look at tiles of large images; mmdet-solo fit-grid says '
_SMALL += 'which scale and grid suit the objects.'


class Limit(NamedTuple):
    """Something that keeps the figures down.

    Attributes:
        weight: 3 where it decides the figures, 2 where it counts, 1 for something to know.
        points: of AP in percent that it costs, or at most may cost, which order those of a weight.
        said: what it is, in sentences.
        remedy: what to do, likewise.
        section: of the page where more stands.
    """

    weight: int
    points: float
    said: str
    remedy: str
    section: str


def limits_of(figures: Mapping) -> list[Limit]:
    """Return what limits a model, the weightiest first.

    Args:
        figures: of the report, but for these.
    """
    data = figures['data']
    if not data['objects']:
        what = 'no images' if not data['images'] else 'no objects in its images'
        return [
            Limit(
                3,
                100.0,
                f'The test has {what}: there is nothing to measure.',
                'Check ann_file of the data set and of the evaluator, and metainfo.classes.',
                'figures',
            )
        ]
    if not data['predictions']:
        return [
            Limit(
                3,
                100.0,
                f'Nothing was found in any of the {data["images"]:,} images.',
                'Is it the checkpoint of this config, and was it trained long enough? score_thr '
                'and filter_thr of model.test_cfg may be too high.',
                'figures',
            )
        ]
    found = [
        *_of_errors(figures['errors'], figures['confusion']),
        *_of_grid(figures['grid']),
        *_of_classes(figures['by_class']),
        *_of_training(figures['training'], figures['run']['checkpoint']),
    ]
    return sorted(found, key=lambda each: (-each.weight, -each.points))


def _of_errors(errors: Mapping, confusion: Mapping) -> Iterator[Limit]:
    most = max(each['gain'] for each in errors['kinds'])
    for each in errors['kinds']:
        kind, points = each['kind'], 100 * each['gain']
        if points < _LEAST:
            continue
        said = _SAID[kind].format(points=_points(points, is_most=each['gain'] == most)) + '.'
        size, share = _main_size(each['by_size'])
        if size:
            said += f' {percent(share)} of them are {size} ({_SIZES[size]}).'
        remedy = _REMEDIES[kind]
        if kind == 'class' and confusion['pairs']:
            pair = confusion['pairs'][0]
            times = 'once' if pair['times'] == 1 else f'{pair["times"]:,} times'
            said += f' Most often a {pair["taken_for"]} was found where a {pair["object"]} is: '
            said += f'{times}.'
        if size == 'small' and kind in ('missed', 'localisation'):
            remedy = _SMALL
        yield Limit(_weight(points), points, said, remedy, 'errors')


def _points(points: float, *, is_most: bool) -> str:
    """Say what an error costs.

    Examples:
        >>> _points(12.04, is_most=True)
        'most: 12 points of AP (at an IoU of 0.5)'
    """
    number = f'{points:.1f}'.removesuffix('.0')
    return f'most: {number} points of AP (at an IoU of 0.5)' if is_most else f'{number} points'


def _weight(points: float) -> int:
    return 3 if points >= 10 else 2 if points >= 3 else 1


def _main_size(by_size: Mapping[str, Mapping]) -> tuple[str, float]:
    """Return the size of most of some errors and its share; no size if none has more than half."""
    total = sum(each['count'] for each in by_size.values())
    for name, each in by_size.items():
        if each['count'] > 0.5 * total:
            return name, each['count'] / total
    return '', 0.0


def _of_grid(grid: Mapping | None) -> Iterator[Limit]:
    if not grid or not grid['objects']:
        return
    lost = grid['objects'] - grid['learnt']
    points = 100 * lost / grid['objects']
    if points >= 1:
        yield Limit(
            _weight(points),
            points,
            f'The grid has no cell for {of_all(lost, grid["objects"], "objects")}, which can '
            'hardly be found.',
            'mmdet-solo fit-grid proposes grids and scales; mmdet-solo report says which objects '
            'of the training these are.',
            'grid',
        )


def _of_classes(by_class: Sequence[Mapping]) -> Iterator[Limit]:
    there = [each for each in by_class if each['objects']]
    never = [each['name'] for each in there if not each['ap_50']]
    if never:
        yield Limit(
            2,
            100 * len(never) / len(there),
            f'{_classes(never)} never found: {_listed(never)}',
            'mmdet-solo report says how many of them are in the training.',
            'classes',
        )
    few = [each['name'] for each in there if each['objects'] < _FEW_OBJECTS]
    if few:
        yield Limit(
            1,
            0.0,
            f'{_classes(few)} measured by fewer than {_FEW_OBJECTS} objects, so that chance '
            f'decides their AP: {_listed(few)}',
            'Annotate more of them for the test.',
            'classes',
        )


def _classes(names: Sequence[str]) -> str:
    return '1 class is' if len(names) == 1 else f'{len(names):,} classes are'


def _listed(names: Sequence[str]) -> str:
    return f'{", ".join(names[:_NAMED])}{", ..." if names[_NAMED:] else "."}'


def _of_training(training: Mapping | None, checkpoint: str) -> Iterator[Limit]:
    """Yield whether the AP was better before, or still rose when the training ended.

    Where it was better before, and the checkpoint's name says that it is of that place, such as
    `best_coco_segm_mAP_epoch_8.pth`, nothing is lost.
    """
    curves = list((training or dict(scores={}))['scores'].values())
    if not curves or len(curves[0]['ys']) < 2:
        return
    curve = curves[0]
    ys, last = curve['ys'], curve['ys'][-1]
    best = max(ys)
    if best - last > 0.01:
        place = curve['xs'][ys.index(best)]
        step = 'epoch' if curve['unit'] == 'epoch' else 'iter'
        if re.search(rf'{step}_{place:.0f}\.pth$', checkpoint):
            return
        yield Limit(
            2,
            100 * (best - last),
            f'The validation was better before: an AP of {best:.3f} at {curve["unit"]} '
            f'{place:,.0f}, and of {last:.3f} at the end.',
            'Test that checkpoint (save_best of CheckpointHook keeps it), or train for less.',
            'training',
        )
        return
    before = ys[-1 - max(1, len(ys) // 5)]
    if last - before > 0.005:
        yield Limit(
            2,
            100 * (last - before),
            f'It was still learning when the training ended: the AP of the validation rose by '
            f'{100 * (last - before):.1f} points in the last fifth.',
            'Train longer.',
            'training',
        )
