"""`mmdet-solo browse`: the images of a training with their masks, as its pipeline gives them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.utils import track_iter_progress

from mmdet.engine.config import add_config_arguments, load_config, require_stage
from mmdet.errors import UserError
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmdet.utils.files import check_folder
from mmdet.visualization import DetLocalVisualizer
from mmdet.visualization.image_file import picture_suffix, write_image
from mmdet.visualization.window import Window


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Look at the data of a training')
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument('--output-dir', metavar='DIR', help='write the pictures into this folder')
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
    """Show or write each image of `train_dataloader.dataset`, as one pass over it draws them.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if args.not_show and not args.output_dir:
        raise UserError('nothing would be shown or written: name --output-dir DIR')
    cfg = load_config(args)
    require_stage(cfg, 'train', source=args.config)
    if args.output_dir:
        check_folder(Path(args.output_dir))
    register_all_modules()
    window = None if args.not_show else _open_window(args.show_interval)
    written = _browse(cfg, output_dir=args.output_dir, window=window)
    if args.output_dir:
        print(f'\n{written} pictures in {args.output_dir}')


def _open_window(show_interval: float) -> Window:
    try:
        return Window(show_interval)
    except UserError as error:
        reason = str(error).split(';')[0]
        raise UserError(f'{reason}; --not-show --output-dir DIR writes the pictures') from None


def _browse(cfg: Config, *, output_dir: str | None, window: Window | None) -> int:
    """Return the number of pictures that were drawn, until the window ends it."""
    dataset = DATASETS.build(cfg.train_dataloader['dataset'])
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dataset.metainfo
    number = 0
    for index in track_iter_progress(range(len(dataset))):
        item = dataset[index]
        sample = item['data_samples']
        image = item['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
        path = Path(sample.img_path)
        visualizer.add_datasample(path.stem, image, sample, draw_pred=False)
        picture = visualizer.get_image()[..., ::-1]
        number += 1
        if output_dir:
            # An image may come more than once, and differ.
            file = f'{index}_{path.stem}{picture_suffix(sample.img_path)}'
            write_image(Path(output_dir, file), picture)
        if window and not window.show(picture, is_frame=False):
            break
    if window:
        window.close()
    return number
