"""`mmdet-solo flops`: parameters and multiplications of a network, by part."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmdet.engine.config import add_config_arguments, load_config
from mmdet.engine.measure.flops import build, count_here, count_published, parameters_by_part
from mmdet.errors import UserError
from mmdet.utils import register_all_modules
from mmdet.utils.files import write_whole

_NAME, _NUMBER = 26, 25
_CANDIDATES = 100
# What a column is, of the counts that each part has.
_COLUMNS = dict(
    parameters='parameters, M',
    published='as published',
    here='here',
    multiplied="by Winograd's algorithm",
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Count parameters and multiplications (GMAC) of a network for one image'
    )
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument(
        '--shape',
        type=int,
        nargs='+',
        default=[800, 1333],
        metavar=('H', 'W'),
        help='of the image, before it is padded (default: 800 1333); one number for a square',
    )
    parser.add_argument(
        '--mode',
        choices=['test', 'train'],
        default='test',
        help='a test (default), or a training, whose backward pass is counted, too',
    )
    parser.add_argument(
        '--candidates',
        type=int,
        metavar='N',
        help=f'test: masks that are drawn (default: {_CANDIDATES})',
    )
    parser.add_argument('--json', metavar='FILE', help='write the numbers into this file, too')
    add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> dict[str, object]:
    """Count, print, and return what `--json` writes.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if len(args.shape) > 2 or min(args.shape) < 1:
        raise UserError(f'--shape is a height and a width, not {args.shape}')
    if args.candidates is not None and args.mode == 'train':
        raise UserError('--candidates is for --mode test: a training draws the masks of its cells')
    candidates = _CANDIDATES if args.candidates is None else args.candidates
    height, width = args.shape * (3 - len(args.shape))
    cfg = load_config(args)
    register_all_modules()
    detector = build(cfg.model.to_dict())
    divisor = detector.data_preprocessor.pad_size_divisor
    size = -(-height // divisor) * divisor, -(-width // divisor) * divisor
    here, multiplied = count_here(detector, size, args.mode, candidates=candidates)
    columns = dict(
        parameters=parameters_by_part(detector),
        published=count_published(detector, size, args.mode),
        here=here,
        multiplied=multiplied,
    )
    report = dict(
        config=args.config,
        mode=args.mode,
        size=size,
        candidates=candidates if args.mode == 'test' else None,
        **columns,
    )
    print('\n'.join(_lines(report)))
    if args.json:
        write_whole(Path(args.json), f'{json.dumps(report, indent=2)}\n'.encode())
    return report


def _lines(report: Mapping) -> Iterator[str]:
    height, width = report['size']
    masks = f', {report["candidates"]} candidates' if report['candidates'] else ''
    kind = 'training' if report['mode'] == 'train' else 'test'
    yield f'{report["config"]}, {kind} of an image of {height} x {width}{masks}'
    yield 'GMAC: 1e9 multiplications, each with an addition; FLOP are two'
    yield f'{"":{_NAME}}' + ''.join(f'{title:>{_NUMBER}}' for title in _COLUMNS.values())
    for name in report['here']:
        cells = (_cell(key, report[key].get(name)) for key in _COLUMNS)
        yield f'{name:{_NAME}}' + ''.join(f'{cell:>{_NUMBER}}' for cell in cells)


def _cell(column: str, count: int | None) -> str:
    if count is None:
        return '-'
    return f'{count / 1e6:.2f}' if column == 'parameters' else f'{count / 1e9:.2f}'
