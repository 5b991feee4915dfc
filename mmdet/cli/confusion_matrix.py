"""`mmdet-solo confusion-matrix`: which class is taken for which, as a picture and as JSON."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2

from mmdet.engine.config import add_config_arguments, load_config
from mmdet.engine.finished_test import read_test
from mmdet.errors import UserError
from mmdet.evaluation.analysis import confusion_matrix, row_shares
from mmdet.utils import register_all_modules
from mmdet.visualization.confusion_matrix import check_color_theme, confusion_matrix_figure
from mmdet.visualization.window import Window

from .figures import check_outputs, write_figure, write_json

_MADE_BY = 'mmdet-solo confusion-matrix'
_PICTURE, _FIGURES = 'confusion_matrix.png', 'confusion_matrix.json'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Count which class is taken for which, by the overlap of masks'
    )
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument('prediction_path', help='what tools/test.py --out has written')
    parser.add_argument('save_dir', help=f'folder for {_PICTURE} and {_FIGURES}')
    parser.add_argument('--show', action='store_true', help='show the picture in a window, too')
    parser.add_argument('--color-theme', default='plasma', help="a colour map of matplotlib's")
    parser.add_argument(
        '--score-thr', type=float, default=0.3, help='leave out predictions of lower scores'
    )
    parser.add_argument(
        '--tp-iou-thr', type=float, default=0.5, help='the least overlap that is a match'
    )
    parser.add_argument(
        '--nms-iou-thr',
        type=float,
        help='leave out what overlaps a better prediction of its class more than this',
    )
    add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> dict:
    """Write the picture and the numbers, which are returned.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    for option in ('score_thr', 'tp_iou_thr', 'nms_iou_thr'):
        value = getattr(args, option)
        if value is not None and not 0 <= value <= 1:
            raise UserError(f'--{option.replace("_", "-")} is {value}: it takes 0 to 1')
    check_color_theme(args.color_theme)
    check_outputs(args.save_dir, (_PICTURE, _FIGURES), _MADE_BY)
    window = Window(0) if args.show else None
    cfg = load_config(args)
    register_all_modules()
    test = read_test(cfg, args.prediction_path)
    matrix = confusion_matrix(
        test.images(),
        len(test.classes),
        score_thr=args.score_thr,
        iou_thr=args.tp_iou_thr,
        nms_iou_thr=args.nms_iou_thr,
    )
    names = [*test.classes, 'background']
    folder = Path(args.save_dir)
    content = write_json(
        dict(
            config=args.config,
            results=args.prediction_path,
            score_thr=args.score_thr,
            tp_iou_thr=args.tp_iou_thr,
            nms_iou_thr=args.nms_iou_thr,
            rows='annotated as',
            columns='found as',
            classes=names,
            matrix=matrix.tolist(),
        ),
        folder / _FIGURES,
        _MADE_BY,
    )
    figure = confusion_matrix_figure(row_shares(matrix), names, color_theme=args.color_theme)
    write_figure(figure, folder / _PICTURE, _MADE_BY, dpi=150)
    print(f'{folder / _PICTURE} and {folder / _FIGURES}', flush=True)
    if window:
        picture = cv2.imread(str(folder / _PICTURE))
        assert picture is not None  # it has just been written
        window.show(picture, is_frame=False)
        window.close()
    return content
