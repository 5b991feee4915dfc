"""`mmdet-solo fit-grid`: which grid, ranges and input size suit a data set."""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmdet.engine.config import add_config_arguments, load_config, read_config, require_stage
from mmdet.engine.config.source import config_text
from mmdet.engine.config.top_level import READ
from mmdet.engine.fit_grid.apply import apply_settings, difference
from mmdet.engine.fit_grid.cost import cost_of
from mmdet.engine.fit_grid.objects import Objects, objects_of_training
from mmdet.engine.fit_grid.proposal import GridSettings, propose
from mmdet.engine.measure.flops import build
from mmdet.errors import UserError
from mmdet.models.assigners.coverage import Fate
from mmdet.utils import register_all_modules
from mmdet.utils.files import write_whole

_MAX_IMAGES = 2000
_MMDETECTION = dict(
    num_grids=(40, 36, 24, 16, 12),
    scale_ranges=((1, 96), (48, 192), (96, 384), (192, 768), (384, 2048)),
    pos_scale=0.2,
)
_COLUMN = 22
_HEAD = 'The grid and the input size that fit the objects of {config},\nby `mmdet-solo fit-grid`.'
_ADDED = ('launcher', 'work_dir', 'default_scope')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Propose the grid, the ranges and the input size that suit a data set'
    )
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument(
        '--apply',
        metavar='OUT',
        help='write a config with the proposal, which inherits from CONFIG',
    )
    parser.add_argument(
        '--keep-size', action='store_true', help='propose a grid for the input as large as it is'
    )
    parser.add_argument(
        '--max-images',
        type=int,
        default=_MAX_IMAGES,
        metavar='N',
        help=f'look at so many images of the training, drawn by chance (default: {_MAX_IMAGES})',
    )
    parser.add_argument('--json', metavar='FILE', help='write the numbers into this file, too')
    add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> dict[str, dict]:
    """Look at a training's objects, propose, print, and return what `--json` writes.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if args.max_images < 1:
        raise UserError(f'--max-images {args.max_images}: it takes one at least')
    if args.apply and Path(args.apply).exists():
        raise UserError(f'--apply {args.apply} is there already: name a new file')
    cfg = load_config(args)
    require_stage(cfg, 'train', source=args.config)
    register_all_modules()
    detector = build(cfg.model.to_dict())
    objects = objects_of_training(cfg, max_images=args.max_images)
    head = detector.mask_head
    now = GridSettings(1.0, tuple(head.num_grids), tuple(head.scale_ranges), head.pos_scale)
    limits = dict(least=1.0, most=1.0) if args.keep_size else {}
    proposed = propose(objects, head.mask_strides, **limits)
    columns = {'this config': now, 'proposed': proposed}
    if len(head.num_grids) == len(_MMDETECTION['num_grids']):
        columns = {"mmdetection's default": GridSettings(1.0, **_MMDETECTION), **columns}
    whole = cfg.to_dict()
    report = {name: _numbers(whole, objects, settings) for name, settings in columns.items()}
    print('\n'.join(_lines(report, objects)))
    if args.json:
        write_whole(Path(args.json), f'{json.dumps(report, indent=2)}\n'.encode())
    if args.apply:
        _write(Path(args.apply), args.config, whole, proposed)
        print(f'{args.apply} has it: bash train.sh {args.apply}')
    return report


def _numbers(cfg: Mapping, objects: Objects, settings: GridSettings) -> dict[str, object]:
    coverage = settings.coverage(objects)
    padded = objects.resized(settings.factor).padded_sizes()
    height, width = (int(side) for side in padded.median(0).values)
    cost = cost_of(apply_settings(cfg, settings)['model'], (height, width))
    fates = {fate: (coverage.fates == fate).double().mean().item() for fate in Fate}
    return dict(
        input=(height, width),
        num_grids=settings.num_grids,
        scale_ranges=settings.scale_ranges,
        pos_scale=settings.pos_scale,
        learnt=fates[Fate.LEARNT],
        in_no_range=fates[Fate.NO_RANGE],
        lost_to_others=fates[Fate.LOST],
        of_each_level=coverage.in_range.double().mean(1).tolist(),
        macs=cost.macs,
        kept_bytes=cost.kept,
    )


def _lines(report: Mapping[str, Mapping], objects: Objects) -> Iterator[str]:
    yield f'{len(objects.truth.areas):,} objects in {len(objects.sizes):,} images'
    rows = {
        'input, median': lambda of: '{} x {}'.format(*of['input']),
        'num_grids': lambda of: ', '.join(map(str, of['num_grids'])),
        **{
            f'scale_ranges, level {level}': lambda of, level=level: '{:g} to {:g}'.format(
                *of['scale_ranges'][level]
            )
            for level in range(len(report['proposed']['scale_ranges']))
        },
        'pos_scale': lambda of: f'{of["pos_scale"]:g}',
        'objects that are learnt': lambda of: f'{of["learnt"]:.1%}',
        '  in no range': lambda of: f'{of["in_no_range"]:.1%}',
        '  lost to others': lambda of: f'{of["lost_to_others"]:.1%}',
        'objects of each level': lambda of: ', '.join(
            f'{each:.0%}' for each in of['of_each_level']
        ),
        'GMAC of a training image': lambda of: f'{of["macs"] / 1e9:.1f}',
        'kept for its gradient, MB': lambda of: f'{of["kept_bytes"] / 1e6:.0f}',
    }
    yield f'{"":27}' + ''.join(f'{name:>{_COLUMN}}' for name in report)
    for name, cell in rows.items():
        yield f'{name:27}' + ''.join(f'{cell(of):>{_COLUMN}}' for of in report.values())


def _write(path: Path, config: str, cfg: Mapping, settings: GridSettings) -> None:
    """Write a config that inherits from another, with the settings and the options that count."""
    old = read_config(config)
    new = apply_settings(cfg, settings)
    # Not the variables that the old one's text made them of, nor what the tools add.
    read = {key: new[key] for key in new if key in READ and (key in old or key not in _ADDED)}
    base = os.path.relpath(str(old.filename), path.resolve().parent)
    text = config_text(difference(old.to_dict(), read), base=base, head=_HEAD.format(config=config))
    write_whole(path, text.encode())
