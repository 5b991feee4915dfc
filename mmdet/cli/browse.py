"""`mmdet-solo browse`: the images of a training with their masks, and which cells learn them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.utils import track_iter_progress

from mmdet.datasets.image_file import UnusableImageError
from mmdet.engine.config import add_config_arguments, load_config, require_stage
from mmdet.errors import UserError
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmdet.utils.files import check_folder
from mmdet.visualization.image_file import picture_suffix, write_image
from mmdet.visualization.window import Window

from .browse_modes import Mode, Original, Pipeline, Targets

_MODES = dict(original=Original, pipeline=Pipeline, transformed=Mode)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Look at the data of a training')
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument(
        '-p', '--phase', choices=('train', 'val', 'test'), default='train', help='whose data'
    )
    parser.add_argument(
        '-m',
        '--mode',
        choices=('original', 'pipeline', 'transformed', 'targets'),
        default='transformed',
        help='the image on the disk with its annotations; the image after each step of the '
        "pipeline, side by side; after all of them (default); or the cells of each level's grid, "
        'which of them learns which object, and the objects that have none',
    )
    parser.add_argument('--output-dir', metavar='DIR', help='write the pictures into this folder')
    parser.add_argument(
        '-n', '--show-number', type=int, metavar='N', help='only the first N images of them'
    )
    parser.add_argument('--not-show', action='store_true', help='open no window')
    parser.add_argument(
        '--show-interval',
        type=float,
        default=2,
        metavar='SECONDS',
        help='for how long each is shown; 0 waits for a key; q ends',
    )
    add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Show or write a picture of each sample of a data set, as one pass over it draws them.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    _check_arguments(args)
    cfg = load_config(args)
    require_stage(cfg, args.phase, source=args.config)
    if args.output_dir:
        check_folder(Path(args.output_dir))
    register_all_modules()
    window = None if args.not_show else _open_window(args.show_interval)
    dataset = DATASETS.build(cfg[f'{args.phase}_dataloader']['dataset'])
    mode = Targets(dataset, cfg) if args.mode == 'targets' else _MODES[args.mode](dataset)
    number = len(dataset) if args.show_number is None else min(len(dataset), args.show_number)
    drawn, unusable = _browse(mode, number, output_dir=args.output_dir, window=window)
    lines = [*unusable, mode.summary()]
    if args.output_dir:
        lines.append(f'{drawn} pictures in {args.output_dir}')
    print('\n'.join(['', *filter(None, lines)]))


def _check_arguments(args: argparse.Namespace) -> None:
    if args.not_show and not args.output_dir:
        raise UserError('nothing would be shown or written: name --output-dir DIR')
    if args.show_number is not None and args.show_number < 1:
        raise UserError(f'--show-number is {args.show_number}: it takes 1 or more')
    if args.mode == 'targets' and args.phase != 'train':
        raise UserError(f'--mode targets is what a training learns: leave out --phase {args.phase}')


def _open_window(show_interval: float) -> Window:
    try:
        return Window(show_interval)
    except UserError as error:
        reason = str(error).split(';')[0]
        raise UserError(f'{reason}; --not-show --output-dir DIR writes the pictures') from None


def _browse(
    mode: Mode, number: int, *, output_dir: str | None, window: Window | None
) -> tuple[int, list[str]]:
    """Draw the first samples, until the window ends it.

    Returns:
        How many pictures were drawn, and why others were not.
    """
    drawn = 0
    unusable: list[str] = []
    for index in track_iter_progress(range(number)):
        try:
            path, image = mode(index)
        except UnusableImageError as error:
            unusable.append(str(error))
            continue
        picture = np.ascontiguousarray(image[..., ::-1])
        drawn += 1
        if output_dir:
            # An image may come more than once, and differ.
            file = f'{index}_{Path(path).stem}{picture_suffix(path)}'
            write_image(Path(output_dir, file), picture)
        if window and not window.show(picture, is_frame=False):
            break
    if window:
        window.close()
    return drawn, unusable
