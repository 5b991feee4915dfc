"""`mmdet-solo predict`: find the instances in pictures, videos, cameras and streams."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet.apis import load_detector, open_source, predict
from mmdet.apis.outputs import CocoJson, Crops, Drawn, Names, Output, YoloText
from mmdet.utils.files import check_folder
from mmdet.visualization.window import Window

from .write_predictions import write_predictions


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Find the instances in pictures, videos, cameras and streams'
    )
    parser.add_argument(
        'source',
        help="an image, a folder, a pattern such as 'photos/**/*.jpg', a .txt file with a path a "
        'line, a video, the number of a camera, or an address such as rtsp://...',
    )
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--config', help='config file; by default that which the checkpoint holds')
    parser.add_argument(
        '--out-dir',
        default='outputs',
        metavar='DIR',
        help='where everything is written (default: outputs)',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        metavar='SCORE',
        help='leave out instances that score less (default: 0.3)',
    )
    parser.add_argument(
        '--classes', nargs='+', metavar='NAME', help='instances of these classes alone'
    )
    parser.add_argument('--device', help='cpu, cuda:0 ... (default: a GPU if any)')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=1,
        metavar='N',
        help='pictures of one size that go through the network together (default: 1)',
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help="test-time augmentation: the views of the config's tta_pipeline, or each picture and "
        'its mirror image, averaged',
    )
    parser.add_argument(
        '--tile',
        type=int,
        metavar='PIXELS',
        help='look at large pictures in squares of this side, about the size of those trained with',
    )
    parser.add_argument(
        '--save-json', action='store_true', help="write predictions.json, COCO's results"
    )
    parser.add_argument(
        '--save-txt', action='store_true', help="write labels/*.txt, YOLO's polygons"
    )
    parser.add_argument(
        '--save-crops', action='store_true', help='write crops/CLASS/*.png, cut out'
    )
    parser.add_argument('--no-save-vis', action='store_true', help='draw nothing')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument(
        '--wait-time',
        type=float,
        metavar='SECONDS',
        help='for how long each is shown; 0 waits for a key (default: 2; a frame until the next)',
    )
    parser.add_argument(
        '--strict', action='store_true', help='end with an error at the first broken picture'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Predict, and write what was asked for.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    pictures = open_source(args.source, strict=args.strict)
    folder = Path(args.out_dir)
    check_folder(folder)
    window = Window(args.wait_time) if args.show else None
    model = load_detector(args.checkpoint, args.config, device=args.device, tta=args.tta)
    found = predict(
        model,
        pictures,
        True,
        batch_size=args.batch_size,
        score_thr=args.score_thr,
        classes=args.classes,
        tile=args.tile,
    )
    classes, names = model.dataset_meta['classes'], Names(pictures.root)
    outputs: list[Output] = []
    if not args.no_save_vis:
        outputs.append(Drawn(folder / 'vis', names))
    if args.save_json:
        outputs.append(CocoJson(folder, names, classes))
    if args.save_txt:
        outputs.append(YoloText(folder, names, classes))
    if args.save_crops:
        outputs.append(Crops(folder / 'crops', names))
    write_predictions(found, pictures, outputs, window=window)
