"""What is amiss with the data, and what to do about it, from the report's figures alone."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mmdet.datasets.findings import LEFT_OUT
from mmdet.engine.report_page.words import of_all

FEW_IMAGES = 10
"""A class in fewer images of a training is rare."""
_NAMED = 6  # classes in a sentence


class Amiss(NamedTuple):
    """Something to look after.

    Attributes:
        weight: 3 where figures or the training are wrong with it, 2 where objects are lost, 1 for
            something to know.
        share: of the images, objects or classes that it concerns, which orders those of a weight.
        said: what is amiss, as a sentence.
        remedy: what to do, likewise.
        section: of the page where more stands: `files`, `twins`, `classes`, `objects`, `grid`,
            `annotations` or `images`.
    """

    weight: int
    share: float
    said: str
    remedy: str
    section: str


def what_is_amiss(parts: Sequence[dict], twins: Sequence[dict]) -> list[Amiss]:
    """Return what is amiss, the weightiest first.

    Args:
        parts: the figures of each part.
        twins: of each two parts.
    """
    found = [
        *(each for part in parts for each in _of_part(part)),
        *(each for pair in twins for each in _of_twins(pair)),
        *_of_classes(parts),
        *_of_sizes(parts),
    ]
    return sorted(found, key=lambda each: (-each.weight, -each.share))


def _of_part(part: dict) -> Iterator[Amiss]:
    name, images, objects = part['name'], part['images'], part['objects']
    if not objects:
        what = 'no image' if not images else f'none of its {images:,} images has an object'
        yield Amiss(
            3,
            1.0,
            f'{name} is empty: {what}.',
            'Check ann_file and metainfo.classes of the data set.',
            'annotations',
        )
    yield from _of_files(part)
    yield from _of_annotations(part)
    if objects:
        yield from _of_masks(part)
        if part.get('grid'):
            yield from _of_grid(part)


def _of_files(part: dict) -> Iterator[Amiss]:
    files = part.get('files')
    if not files or not files['unusable']:
        return
    share = files['unusable'] / files['looked_at']
    if 'train' in part['stages']:
        then = 'In training, others take their places'
        then += ', and above max_unusable it does not begin.'
    else:
        then = 'A test refuses to begin with them.'
    yield Amiss(
        3,
        share,
        f'{of_all(files["unusable"], files["looked_at"], "images")} of {part["name"]} cannot be '
        'used.',
        f'{then} Put the files right, or take them out of the annotations.',
        'files',
    )


def _of_annotations(part: dict) -> Iterator[Amiss]:
    name = part['name']
    total = part['objects'] + part['crowds']
    left_out = sum(each['count'] for each in part['findings'] if each['effect'] == LEFT_OUT)
    if left_out:
        yield Amiss(
            2,
            left_out / (left_out + total),
            f'{of_all(left_out, left_out + total, "annotations")} of {name} cannot be used and are '
            'left out: what they outline is learned to be background.',
            'mmdet-solo check-coco names each of them.'
            if part['is_coco']
            else 'Put right what the list names.',
            'annotations',
        )
    if part['crowds'] > 2 and part['crowds'] > 0.25 * total:
        yield Amiss(
            2,
            part['crowds'] / total,
            f'{of_all(part["crowds"], total, "objects")} of {name} are marked iscrowd, from which '
            'nothing is learned.',
            'Annotation programs mark painted masks so: write iscrowd 0 where they are objects.',
            'annotations',
        )
    empty = part['images_without_objects']
    if part['images'] and part['objects'] and empty > 0.5 * part['images']:
        yield Amiss(
            1,
            empty / part['images'],
            f'{of_all(empty, part["images"], "images")} of {name} have no object.',
            'If objects are in them, they are learned to be background: annotate them.',
            'images',
        )


def _of_masks(part: dict) -> Iterator[Amiss]:
    name, objects = part['name'], part['objects']
    if part['tiny_masks'] > 0.02 * objects:
        yield Amiss(
            2,
            part['tiny_masks'] / objects,
            f'{of_all(part["tiny_masks"], objects, "objects")} of {name} have masks of less than '
            '8 x 8 pixels in the network input: little can be learned of their shape.',
            'Enlarge the scale of Resize, or cut the images into tiles.',
            'objects',
        )
    if part['empty_masks']:
        yield Amiss(
            2,
            part['empty_masks'] / objects,
            f'{of_all(part["empty_masks"], objects, "objects")} of {name} have no pixel left in '
            'the input, and are not learned.',
            'Enlarge the scale of Resize.',
            'objects',
        )
    if part['huge_masks'] > 0.5 * objects:
        yield Amiss(
            1,
            part['huge_masks'] / objects,
            f'{of_all(part["huge_masks"], objects, "objects")} of {name} cover more than half of '
            'their image.',
            'If these are the background or whole pictures, they are no objects to learn.',
            'objects',
        )


def _of_grid(part: dict) -> Iterator[Amiss]:
    grid, name = part['grid'], part['name']
    objects = grid['objects']
    verb = 'learned' if 'train' in part['stages'] else 'found by a cell of their own'
    if grid['in_no_range'] > 0.005 * objects:
        small = grid['too_small_for_all']
        large = grid['in_no_range'] - small
        sizes = ' and '.join(
            f'{number:,} too {size}'
            for number, size in ((small, 'small'), (large, 'large'))
            if number
        )
        yield Amiss(
            2,
            grid['in_no_range'] / objects,
            f'{of_all(grid["in_no_range"], objects, "objects")} of {name} are in the range of no '
            f'level ({sizes}), and cannot be {verb}.',
            'Change scale_ranges of model.mask_head, or the scale of Resize; mmdet-solo fit-grid '
            'proposes both.',
            'grid',
        )
    if grid['lost_to_others'] > 0.02 * objects:
        yield Amiss(
            2,
            grid['lost_to_others'] / objects,
            f'{of_all(grid["lost_to_others"], objects, "objects")} of {name} lose all their cells '
            f'to others, and cannot be {verb}.',
            'Raise num_grids of model.mask_head, or the scale of Resize with scale_ranges; '
            'mmdet-solo fit-grid proposes them.',
            'grid',
        )


def _of_twins(pair: dict) -> Iterator[Amiss]:
    if not pair['twins']:
        return
    few, many = pair['parts']
    is_train = 'train' in (*pair['stages'][0], *pair['stages'][1])
    why = (
        'what is measured on them has been learned, and figures are too good'
        if is_train
        else 'their figures are not those of different data'
    )
    yield Amiss(
        3 if is_train else 1,
        pair['twins'] / pair['images'],
        f'{of_all(pair["twins"], pair["images"], "images")} of {few} are nearly the same in '
        f'{many}: {why}.',
        f'Take them out of {"train" if is_train else "one of the two"}; of videos and series, '
        'divide whole ones.',
        'twins',
    )


def _of_classes(parts: Sequence[dict]) -> Iterator[Amiss]:
    train, measured = _counts(parts, 'train'), _counts(parts, 'val', 'test')
    if train and any(train.values()):
        missing = [name for name, images in train.items() if not images]
        learned_not = [name for name in missing if measured.get(name)]
        nowhere = [name for name in missing if not measured.get(name)]
        if learned_not:
            yield Amiss(
                3,
                len(learned_not) / len(train),
                _classes_are(
                    learned_not, 'in val or test, but in no image of train, and never learned'
                ),
                'Divide the data so that each class is in train.',
                'classes',
            )
        if nowhere:
            yield Amiss(
                2,
                len(nowhere) / len(train),
                _classes_are(nowhere, 'in no image at all'),
                'Take them out of metainfo.classes and num_classes, or correct the names.',
                'classes',
            )
        rare = [name for name, images in train.items() if 0 < images < FEW_IMAGES]
        if rare:
            yield Amiss(
                1,
                len(rare) / len(train),
                _classes_are(rare, f'in fewer than {FEW_IMAGES} images of train'),
                'Annotate more of them, or repeat them with ClassBalancedDataset.',
                'classes',
            )
    if train and measured and any(measured.values()):
        unmeasured = [name for name, n in train.items() if n and not measured.get(name)]
        if unmeasured:
            yield Amiss(
                2,
                len(unmeasured) / len(train),
                _classes_are(unmeasured, 'in train alone, and never measured'),
                'Divide the data so that each class is in val, too.',
                'classes',
            )


def _of_sizes(parts: Sequence[dict]) -> Iterator[Amiss]:
    """Yield where objects of a test are of other sizes than those of the training."""
    sides = {
        part['name']: part['object_side']['median']
        for part in parts
        if part['object_side'] and part['objects'] >= 30
    }
    train = [
        part['name'] for part in parts if part['stages'] == ['train'] and part['name'] in sides
    ]
    for name in (each for each in sides if each not in train):
        for learned in train[:1]:
            factor = sides[name] / max(sides[learned], 1e-6)
            if not 1 / 1.5 < factor < 1.5:
                yield Amiss(
                    2,
                    abs(1 - factor),
                    f'Objects of {name} are {factor:.1f} times as large as those of {learned} in '
                    f'the input (medians {sides[name]:.0f} and {sides[learned]:.0f} px).',
                    'Choose the scale of Resize in the two pipelines so that they agree.',
                    'objects',
                )


def _counts(parts: Sequence[dict], *stages: str) -> dict[str, int]:
    """Return in how many images of some stages each class is."""
    counts: dict[str, int] = {}
    for part in parts:
        if set(stages) & set(part['stages']):
            for each in part['classes']:
                counts[each['name']] = counts.get(each['name'], 0) + each['images']
    return counts


def _classes_are(names: Sequence[str], where: str) -> str:
    """Say how many classes are somewhere, and name the first of them."""
    are = '1 class is' if len(names) == 1 else f'{len(names):,} classes are'
    return f'{are} {where}: {", ".join(names[:_NAMED])}{", ..." if names[_NAMED:] else "."}'
