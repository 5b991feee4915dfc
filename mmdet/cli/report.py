"""`mmdet-solo report`: what is in the data sets of a config, as one page, and what is amiss."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from mmdet.engine.config import add_config_arguments, load_config
from mmdet.engine.dataset_report import MADE_BY, collect, page_of
from mmdet.engine.report_page import told_by
from mmdet.errors import UserError
from mmdet.utils import register_all_modules
from mmdet.utils.files import check_target, write_whole


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Say what is in the data sets of a config, what is amiss, and what SOLO can '
        'learn of it'
    )
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument('--out', metavar='FILE', help='write the page, report.html for example')
    parser.add_argument('--json', metavar='FILE', help='write the figures')
    parser.add_argument(
        '--no-images',
        action='store_true',
        help='read the annotations alone: no broken files, no images in two parts, no thumbnails',
    )
    add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> dict:
    """Write the report, print what is amiss, and return what `--json` writes.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if not args.out and not args.json:
        raise UserError('nothing would be written: name --out report.html, or --json FILE')
    is_ours = told_by(MADE_BY)
    check_target('--out', args.out, is_ours=is_ours)
    check_target('--json', args.json, is_ours=is_ours)
    if args.out and args.json and Path(args.out).absolute() == Path(args.json).absolute():
        raise UserError(f'--out and --json are both {args.out}: name two files')
    cfg = load_config(args)
    register_all_modules()
    report = collect(cfg, source=args.config, looks_at_images=not args.no_images)
    if args.json:
        content = json.dumps(report.figures, ensure_ascii=False, indent=1)
        write_whole(Path(args.json), f'{content}\n'.encode())
    if args.out:
        write_whole(Path(args.out), page_of(report).encode())
    for each in report.figures['amiss']:
        print(f'- {each["said"]} {each["remedy"]}')
    if not report.figures['amiss']:
        print('nothing is amiss')
    print(' and '.join(filter(None, (args.out, args.json))), flush=True)
    return report.figures
