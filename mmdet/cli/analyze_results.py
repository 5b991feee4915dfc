"""`mmdet-solo analyze-results`: the images that a model does best, and those that it does worst."""

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path

import numpy as np

from mmdet.engine.config import add_config_arguments, datasets_of, load_config
from mmdet.engine.finished_test import read_test
from mmdet.engine.preflight import image_backend
from mmdet.engine.report_page import told_by
from mmdet.engine.result_report import Example, examples, paths_of
from mmdet.errors import UserError
from mmdet.evaluation.analysis import ImageScore, best_and_worst, image_score, matches_of
from mmdet.utils import register_all_modules
from mmdet.utils.files import check_target, write_whole
from mmdet.visualization import DetLocalVisualizer
from mmdet.visualization.image_file import picture_suffix
from mmdet.visualization.window import Window

_MADE_BY = 'mmdet-solo analyze-results'
_LIST = 'images.json'
_FOLDERS = 'good', 'bad'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Draw the images that a model does best, and those that it does worst, by '
        'the mask AP of each: on the left what is there, on the right what was found'
    )
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument('prediction_path', help='what tools/test.py --out has written')
    parser.add_argument(
        'show_dir', help='folder for the pictures, good/ and bad/, and a list of all images'
    )
    parser.add_argument('--show', action='store_true', help='show the pictures in a window, too')
    parser.add_argument(
        '--wait-time',
        type=float,
        default=0,
        metavar='SECONDS',
        help='for how long each is shown; 0 waits for a key (default); q ends',
    )
    parser.add_argument(
        '--topk', type=int, default=20, metavar='N', help='draw N of each (default: 20)'
    )
    parser.add_argument(
        '--show-score-thr',
        type=float,
        default=0,
        metavar='SCORE',
        help='leave out predictions with lower scores (default: 0)',
    )
    add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> dict:
    """Write the pictures and the list, which is returned.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if args.topk < 1:
        raise UserError(f'--topk is {args.topk}: it takes 1 or more')
    folder = Path(args.show_dir)
    earlier = _earlier_pictures(folder)
    cfg = load_config(args)
    register_all_modules()
    window = Window(args.wait_time) if args.show else None
    test = read_test(cfg, args.prediction_path)
    assert test.dataset is not None  # the config has one
    scores = [image_score(image, matches_of(image)) for image in test.images()]
    chosen = best_and_worst(scores, args.topk, args.topk)
    paths = paths_of(test.dataset)
    backend_args = image_backend(next(datasets_of(cfg.test_dataloader)))
    for picture in earlier:
        picture.unlink(missing_ok=True)
    pictures: dict[object, str] = {}
    measured = test.metric.measured(test.results)
    for name, some in zip(_FOLDERS, chosen, strict=True):
        shown = examples(measured, some, paths, backend_args=backend_args)
        drawn = _drawn(
            test.dataset.metainfo,
            shown,
            folder / name,
            score_thr=args.show_score_thr,
            window=window,
        )
        pictures |= {each.score.img_id: str(path.relative_to(folder)) for each, path in drawn}
        print(f'{folder / name}: {_said(some)}')
    content = dict(
        made_by=_MADE_BY,
        config=args.config,
        results=args.prediction_path,
        images=[
            dict(
                image=paths.get(each.img_id),
                **each._asdict(),
                picture=pictures.get(each.img_id),
            )
            for each in sorted(scores, key=lambda each: (each.ap is None, each.ap))
        ],
    )
    text = json.dumps(content, ensure_ascii=False, indent=1)
    write_whole(folder / _LIST, f'{text}\n'.encode())
    without = sum(each.ap is None for each in scores)
    if without:
        print(f'{without:,} of {len(scores):,} images have no object to find, and no AP')
    print(f'{folder / _LIST}: all {len(scores):,} images', flush=True)
    return content


def _earlier_pictures(folder: Path) -> list[Path]:
    """Return the pictures that this command drew into the folder before.

    Raises:
        UserError: the folder cannot be written, or has something of somebody else's in the way.
    """
    path = folder / _LIST
    check_target('show_dir', str(path), is_ours=told_by(_MADE_BY))
    earlier: list[Path] = []
    if path.exists():
        listed = json.loads(path.read_text())['images']
        names = [Path(each['picture']) for each in listed if each['picture']]
        # Whoever else has written into the list: no other folder's files are meant.
        earlier = [folder / name.parent.name / name.name for name in names]
    there = {each for name in _FOLDERS for each in (folder / name).glob('*')}
    there |= {folder / name for name in _FOLDERS if (folder / name).is_file()}
    others = there - set(earlier)
    if others:
        raise UserError(
            f'{min(others)} was not made by this command: name another show_dir, or remove it'
        )
    return earlier


def _drawn(
    meta: dict,
    shown: Iterator[Example],
    folder: Path,
    *,
    score_thr: float,
    window: Window | None,
) -> Iterator[tuple[Example, Path]]:
    """Draw images into a folder and a window, until it ends; yield what was drawn and where."""
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = meta
    for each in shown:
        if each.image is None:
            print(f'{each.path or each.score.img_id}: no such image, or it cannot be read')
            continue
        path = _name(folder, each)
        visualizer.add_datasample(
            path.stem,
            each.image[..., ::-1],
            each.sample,
            out_file=str(path),
            pred_score_thr=score_thr,
        )
        yield each, path
        picture = np.ascontiguousarray(visualizer.get_image()[..., ::-1])
        if window and not window.show(picture, is_frame=False):
            window.close()
            window = None


def _name(folder: Path, example: Example) -> Path:
    """Return mmdetection's name of a picture, numbered if one of another folder's has it."""
    stem = f'{Path(example.path).stem}_{round(example.score.ap or 0.0, 3)}'
    suffix = picture_suffix(example.path)
    paths = (
        folder / f'{stem}{number}{suffix}' for number in chain([''], map('_{}'.format, count(2)))
    )
    return next(path for path in paths if not path.exists())


def _said(scores: Sequence[ImageScore]) -> str:
    if not scores:
        return 'no image'
    aps = sorted(each.ap or 0.0 for each in scores)
    number = '1 image' if len(aps) == 1 else f'{len(aps):,} images'
    return f'{number}, of mask AP {aps[0]:.3f} to {aps[-1]:.3f}'
