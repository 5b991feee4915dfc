"""`mmdet-solo error-analysis`: what AP would be without each kind of error."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from terminaltables import AsciiTable

from mmdet.engine.config import add_config_arguments, load_config
from mmdet.engine.finished_test import FinishedTest, read_test, read_test_of_file
from mmdet.errors import UserError
from mmdet.evaluation.analysis import ERRORS, ErrorFigures, analyse_errors
from mmdet.utils import register_all_modules
from mmdet.visualization.error_bars import class_gains_figure, gains_figure

from .figures import check_outputs, write_figure, write_json

_MADE_BY = 'mmdet-solo error-analysis'
_FIGURES, _BY_SIZE = 'errors.json', 'errors_by_size.png'
_SIZES = 'all', 'small', 'medium', 'large'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Say what mask AP would be without each kind of error, for each size and class',
        usage='%(prog)s CONFIG RESULTS OUT_DIR [options]\n'
        '       %(prog)s RESULTS OUT_DIR --ann FILE [options]',
    )
    parser.add_argument(
        'paths',
        nargs='+',
        metavar='CONFIG RESULTS OUT_DIR',
        help='config file, what tools/test.py --out has written, folder for the figures; without '
        'a config, an annotation file says what there is to find',
    )
    parser.add_argument(
        '--ann',
        default='data/coco/annotations/instances_val2017.json',
        help='annotation file, where there is no config (default: %(default)s)',
    )
    parser.add_argument(
        '--types', nargs='+', default=['segm'], help='what to measure: segm, as SOLO has no boxes'
    )
    parser.add_argument(
        '--extraplots', action='store_true', help='draw the classes for each size by itself, too'
    )
    parser.add_argument(
        '--score-thr', type=float, default=0.0, help='leave out predictions of lower scores'
    )
    parser.add_argument(
        '--areas',
        type=int,
        nargs=3,
        default=(32**2, 96**2, 10**10),
        metavar=('SMALL', 'MEDIUM', 'LARGE'),
        help='up to which area in pixels an object is small, medium, and large',
    )
    add_config_arguments(parser)
    args = parser.parse_args(argv)
    if len(args.paths) not in (2, 3):
        parser.error('name CONFIG RESULTS OUT_DIR, or RESULTS OUT_DIR and --ann')
    return args


def main(argv: Sequence[str] | None = None) -> dict:
    """Write the figures and pictures, print the figures by size, and return what JSON holds.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if args.types != ['segm']:
        raise UserError(
            f'--types {" ".join(args.types)}: what is measured is segm alone, since SOLO has no '
            'boxes; leave --types out'
        )
    small, medium, large = args.areas
    if not 0 < small < medium < large:
        raise UserError(f'--areas {small} {medium} {large}: they rise, from above 0')
    folder = Path(args.paths[-1])
    drawn = _SIZES if args.extraplots else _SIZES[:1]
    names = {size: f'errors_by_class_{size}.png' for size in drawn}
    check_outputs(str(folder), (_FIGURES, _BY_SIZE, *names.values()), _MADE_BY)
    test, source = _test(args)
    analysis = analyse_errors(
        test.with_scores_from(args.score_thr).images(),
        test.classes,
        areas=dict(all=(0, large), small=(0, small), medium=(small, medium), large=(medium, large)),
    )
    content = write_json(
        dict(
            **source,
            results=args.paths[-2],
            score_thr=args.score_thr,
            areas=args.areas,
            kinds=ERRORS,
            **asdict(analysis),
        ),
        folder / _FIGURES,
        _MADE_BY,
    )
    gains = {size: figures.gains for size, figures in analysis.by_size.items() if figures.objects}
    figure = gains_figure(gains, 'What mask AP at IoU 0.5 would gain without each kind of error')
    write_figure(figure, folder / _BY_SIZE, _MADE_BY)
    for size, name in names.items():
        by_class = {
            each: sizes[size].gains
            for each, sizes in analysis.by_class.items()
            if sizes[size].objects
        }
        figure = class_gains_figure(by_class, f'What mask AP at IoU 0.5 would gain, {size} objects')
        write_figure(figure, folder / name, _MADE_BY)
    print(_table(analysis.by_size))
    print(
        '\n'.join(str(folder / name) for name in (_FIGURES, _BY_SIZE, *names.values())), flush=True
    )
    return content


def _test(args: argparse.Namespace) -> tuple[FinishedTest, dict[str, str]]:
    """Return the test, and what says what there was to find."""
    if len(args.paths) == 3:
        args.config = args.paths[0]
        cfg = load_config(args)
        register_all_modules()
        return read_test(cfg, args.paths[1]), dict(config=args.config)
    if args.cfg_options or args.data_root:
        raise UserError('--cfg-options and --data-root need a config: CONFIG RESULTS OUT_DIR')
    return read_test_of_file(args.ann, args.paths[0]), dict(annotations=args.ann)


def _table(by_size: dict[str, ErrorFigures]) -> str:
    rows = [['objects', 'number', 'AP50', *(f'without {kind}' for kind in ERRORS)]]
    for size, figures in by_size.items():
        ap = '-' if figures.ap is None else f'{figures.ap:.3f}'
        gains = (f'+{gain:.3f}' if figures.objects else '-' for gain in figures.gains.values())
        rows.append([size, f'{figures.objects:,}', ap, *gains])
    return AsciiTable(rows).table
