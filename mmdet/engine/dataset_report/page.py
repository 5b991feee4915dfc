"""The report as one page of HTML that needs nothing else: no network, no script."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from mmdet.engine.report_page import Section, page
from mmdet.engine.report_page.frame import findings
from mmdet.engine.report_page.html import (
    Html,
    Share,
    figures_of,
    heat_map,
    long_table,
    picture,
    share_of,
    table,
    tag,
    text,
)
from mmdet.engine.report_page.thumbnails import thumbnail
from mmdet.engine.report_page.words import percent

from .collect import MADE_BY, Report

_PAIRS = 12  # of images in two parts that are shown
_SIDE = 500  # of a thumbnail in pixels, twice of what it is shown at


def page_of(report: Report) -> str:
    """Return the page."""
    figures = report.figures
    parts = figures['parts']
    amiss = findings(figures['amiss'], none='Nothing is amiss.')
    return page(
        title=f'Data of {figures["config"]}',
        heading='Data set report',
        subject=figures['config'],
        made_by=MADE_BY,
        sections=[
            Section('amiss', 'What is amiss', [amiss]),
            Section('parts', 'The parts', [*_parts(parts)], 'Parts'),
            Section('annotations', 'Annotations', [*_annotations(parts)], 'Annotations'),
            Section('files', 'Image files', [*_files(figures)], 'Files'),
            Section('twins', 'Images in two parts', [*_twins(report)], 'In two parts'),
            Section('classes', 'Classes', [*_classes(parts)], 'Classes'),
            Section('images', 'Images', [*_images(parts)], 'Images'),
            Section('objects', 'Objects', [*_objects(parts)], 'Objects'),
            Section('grid', 'What the grid can learn', [*_grid(report)], 'Grid'),
        ],
    )


def _parts(parts: Sequence[dict]) -> Iterator[Html]:
    rows: list[tuple[str, Callable[[dict], object]]] = [
        ('Images', lambda part: part['images']),
        ('without objects', lambda part: part['images_without_objects']),
        ('left out by filter_cfg', lambda part: part['images_in_file'] - part['images']),
        ('Objects', lambda part: part['objects']),
        ('Crowd regions', lambda part: part['crowds']),
        ('Classes with objects', lambda part: sum(each['objects'] > 0 for each in part['classes'])),
    ]
    yield table(_heads(parts), [[name, *map(of, parts)] for name, of in rows])
    for part in parts:
        yield tag('p', f'{part["name"]}: {part["source"]}', class_='soft')


def _annotations(parts: Sequence[dict]) -> Iterator[Html]:
    for part in parts:
        yield tag('h3', part['name'])
        if not part['findings']:
            yield tag('p', 'Nothing had to be repaired or left out.')
            continue
        yield tag(
            'ul',
            *(
                tag(
                    'li',
                    f'{each["count"]:,} {each["effect"]}: {each["what"]}',
                    tag('small', f' first: {each["first"]}'),
                )
                for each in part['findings']
            ),
        )


def _files(figures: dict) -> Iterator[Html]:
    if not figures['looked_at_images']:
        yield tag('p', 'The files were not looked at (--no-images).')
        return
    for part in figures['parts']:
        files = part['files']
        if files is None:
            yield tag('p', f'{part["name"]}: its images are on no local disk, and not looked at.')
            continue
        good = files['looked_at'] - files['unusable']
        yield tag('p', f'{part["name"]}: {good:,} of {files["looked_at"]:,} can be used.')
        if files['first']:
            rows = [tag('li', each['why']) for each in files['first'][:_PAIRS]]
            more = files['unusable'] - len(rows)
            rows += [tag('li', f'and {more:,} more')] if more else []
            yield tag('ul', *rows)


def _twins(report: Report) -> Iterator[Html]:
    if not report.figures['twins']:
        why = 'Only one part was' if report.shows_images else 'The files were not'
        yield tag('p', f'{why} looked at.')
        return
    yield tag(
        'p',
        'Images that differ in size, compression or a little in what they show, as frames of a '
        'video do. Cropped, mirrored and turned ones are not found.',
        class_='soft',
    )
    for pair in report.figures['twins']:
        few, many = pair['parts']
        yield tag('p', f'{pair["twins"]:,} of {pair["images"]:,} images of {few} are in {many}.')
        yield figures_of(list(islice(_pairs(pair['pairs']), _PAIRS)))
        if pair['twins'] > _PAIRS:
            yield tag('p', 'The file of --json has them all.', class_='soft')


def _pairs(pairs: Sequence[dict]) -> Iterator[tuple[Html, object]]:
    for pair in pairs:
        images = [thumbnail(path, side=_SIDE // 2) for path in pair['images']]
        shown = [
            picture(image, alt=path)
            for image, path in zip(images, pair['images'], strict=True)
            if image is not None
        ]
        yield tag('div', *shown, class_='pair'), ' and '.join(map(_name, pair['images']))


def _classes(parts: Sequence[dict]) -> Iterator[Html]:
    names = list(dict.fromkeys(each['name'] for part in parts for each in part['classes']))
    of_parts = [{each['name']: each for each in part['classes']} for part in parts]
    most = [max([1, *(each['objects'] for each in part['classes'])]) for part in parts]
    rows = [
        [
            name,
            *(
                _class_cell(of_part.get(name), largest)
                for of_part, largest in zip(of_parts, most, strict=True)
            ),
        ]
        for name in names
    ]
    yield tag('p', 'Objects of each class, and in how many images they are.', class_='soft')
    yield from long_table(_heads(parts), rows)


def _class_cell(found: dict | None, largest: int) -> object:
    if found is None:
        return None
    return Share(found['objects'], found['objects'] / largest, f'in {found["images"]:,}')


def _images(parts: Sequence[dict]) -> Iterator[Html]:
    yield from _histograms(
        parts,
        [
            ('Size in the file: √(width x height)', 'image_sides'),
            ('Width to height', 'image_aspects'),
            ('Objects in an image', 'objects_an_image'),
        ],
    )


def _objects(parts: Sequence[dict]) -> Iterator[Html]:
    yield tag('p', 'Sizes are in pixels, and those in the input are of what the network gets.')
    for part in parts:
        for assumed in part['assumed']:
            yield tag('p', f'{part["name"]}: {assumed}.', class_='soft')
    yield from _histograms(
        parts,
        [
            ('√(box area) in the file', 'object_sides_in_file'),
            ('√(box area) in the input', 'object_sides'),
            ('√(mask area) in the input', 'mask_sides'),
            ('Width to height of boxes', 'object_aspects'),
        ],
    )
    yield tag('h3', 'Extremes in the input')
    rows = [
        ('masks below 8 x 8 pixels', 'tiny_masks'),
        ('masks below 32 x 32 pixels', 'small_masks'),
        ('masks of more than half the image', 'huge_masks'),
        ('masks without a pixel', 'empty_masks'),
    ]
    yield table(
        _heads(parts),
        [[name, *(share_of(part[key], part['objects']) for part in parts)] for name, key in rows],
    )
    yield tag('h3', 'Where the centres lie, all images over each other')
    yield figures_of(
        [
            (
                heat_map(part['centres'], alt=f'centres of the objects of {part["name"]}'),
                f'{part["name"]}: at most {max(map(max, part["centres"])):,} in a place',
            )
            for part in parts
        ]
    )


def _histograms(parts: Sequence[dict], measures: Sequence[tuple[str, str]]) -> Iterator[Html]:
    blocks = []
    for title, key in measures:
        rows = []
        for number, each in enumerate(parts[0][key]):
            counts = [part[key][number]['number'] for part in parts]
            totals = [sum(bin_['number'] for bin_ in part[key]) for part in parts]
            if any(counts):
                rows.append([each['name'], *map(share_of, counts, totals)])
        blocks.append(tag('div', tag('h3', title), table(_heads(parts), rows)))
    yield tag('div', *blocks, class_='tables')


def _grid(report: Report) -> Iterator[Html]:
    parts = [part for part in report.figures['parts'] if part['grid']]
    if not parts:
        yield tag('p', 'The config has no model of the SOLO family.')
        return
    yield tag(
        'p',
        'An object belongs to each level in whose range its √(box area) lies, and claims the cells '
        'there around its centre; of several, the latest annotation wins a cell. An object without '
        'a cell cannot be learned, so that recall is bounded. Each image is taken as a batch of '
        'its own, padded for itself.',
    )
    rows: list[tuple[str, Callable[[dict], object]]] = [
        ('Recall at most', lambda grid: Share(percent(grid['recall_bound']), grid['recall_bound'])),
        ('in no range', lambda grid: share_of(grid['in_no_range'], grid['objects'])),
        (
            'all cells lost to others',
            lambda grid: share_of(grid['lost_to_others'], grid['objects']),
        ),
        ('without a pixel', lambda grid: share_of(grid['empty_masks'], grid['objects'])),
    ]
    yield table(_heads(parts), [[name, *(of(part['grid']) for part in parts)] for name, of in rows])
    for part in parts:
        yield tag('h3', f'Levels: {part["name"]}')
        yield table(
            ['range, grid', 'objects in range', 'learned here', 'contested cells'],
            [_level(level, part['grid']['objects']) for level in part['grid']['levels']],
        )
    yield tag('div', *_bounds(parts), class_='tables')
    yield from _worst(report, parts)


def _level(level: dict, objects: int) -> list[object]:
    low, high = level['scale_range']
    grid = level['num_grid']
    return [
        f'{low:g} to {high:g} px, {grid} x {grid}',
        share_of(level['objects_in_range'], objects),
        share_of(level['objects_learnt'], level['objects_in_range']),
        share_of(level['contested_cells'], level['claimed_cells']),
    ]


def _bounds(parts: Sequence[dict]) -> Iterator[Html]:
    for title, key in (
        ('Recall at most, by √(box area) in the input', 'by_size'),
        ('Recall at most, by class', 'by_class'),
    ):
        names = list(dict.fromkeys(each['name'] for part in parts for each in part['grid'][key]))
        of_parts = [{each['name']: each for each in part['grid'][key]} for part in parts]
        names = [
            name for name in names if any(of.get(name, {}).get('objects', 0) for of in of_parts)
        ]
        rest = Html('')
        if key == 'by_class':
            bounds = {name: [_bound(of.get(name)) for of in of_parts] for name in names}
            names = sorted((n for n in names if min(bounds[n]) < 1), key=lambda n: bounds[n])
            whole = len(bounds) - len(names)
            rest = tag('p', f'{whole:,} classes lose no object.') if whole else rest
        rows = [[name, *(_bound_cell(of.get(name)) for of in of_parts)] for name in names]
        tables = long_table(_heads(parts), rows) if rows else ()
        yield tag('div', tag('h3', title), *tables, rest)


def _bound(found: dict | None) -> float:
    return 2.0 if found is None or found['recall_bound'] is None else found['recall_bound']


def _bound_cell(found: dict | None) -> object:
    if found is None or found['recall_bound'] is None:
        return None
    share = found['recall_bound']
    return Share(percent(share), share, f'of {found["objects"]:,}')


def _worst(report: Report, parts: Sequence[dict]) -> Iterator[Html]:
    for part in parts:
        listed = part['grid']['worst_images']
        if not listed:
            continue
        yield tag('h3', f'Most objects that no cell learns, marked in red: {part["name"]}')
        shown: list[tuple[Html, object]] = []
        for each, example in zip(listed, report.worst[part['name']], strict=True):
            image = None
            if report.shows_images and part['files'] is not None:
                image = thumbnail(example.path, side=_SIDE, masks=example.masks)
            below = f'{each["unlearnt"]} of {each["objects"]} objects: {_name(each["image"])}'
            shown.append((Html('') if image is None else picture(image, alt=below), below))
        yield figures_of(shown)


def _name(path: str) -> str:
    """Return a file's name, and that of its folder."""
    return '/'.join(Path(path).parts[-2:])


def _heads(parts: Sequence[dict]) -> list[object]:
    return [Html(''), *(text(part['name']) for part in parts)]
