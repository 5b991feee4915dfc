"""`mmdet-solo benchmark`: what a step of a training or a test takes, in time and memory."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from mmengine.dist import is_main_process

from mmdet.engine.config import (
    add_amp_argument,
    add_config_arguments,
    add_launcher_arguments,
    load_config,
    require_stage,
    use_mixed_precision,
    words_of,
)
from mmdet.engine.measure.data import measure_data
from mmdet.engine.measure.report import lines_of
from mmdet.engine.measure.run import measure_test, measure_training
from mmdet.errors import UserError
from mmdet.utils.files import write_whole

_STAGES: dict[str, Literal['train', 'test']] = dict(
    train='train', data='train', test='test', eval='test'
)
# What mmdetection's tool calls them.
_TASKS = dict(inference='test', dataloader='data', dataset='data')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Measure what a step takes, in time and memory')
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument(
        '--mode',
        '--task',
        choices=list(_STAGES),
        type=lambda name: _TASKS.get(name, name),
        default='train',
        help='steps of the training (default), its data alone, the test, or that with its '
        "evaluation; or mmdetection's inference, dataloader, dataset",
    )
    parser.add_argument(
        '--max-iter', type=int, default=10, metavar='N', help='measure N steps (default: 10)'
    )
    parser.add_argument(
        '--num-warmup', type=int, default=3, metavar='N', help='after N others (default: 3)'
    )
    parser.add_argument('--checkpoint', help='weights; without it they are random')
    parser.add_argument(
        '--candidates',
        type=int,
        metavar='N',
        help="test, eval: shift the categories' bias so that about N candidates are found",
    )
    add_amp_argument(parser)
    parser.add_argument(
        '--cpu-time',
        action='store_true',
        help='count the seconds that one thread computed, not those that went by: for a CPU that '
        'others use, too',
    )
    parser.add_argument('--json', metavar='FILE', help='write the figures into this file, too')
    add_config_arguments(parser)
    add_launcher_arguments(parser)
    return parser.parse_args(words_of(argv))


def main(argv: Sequence[str] | None = None) -> dict[str, object]:
    """Measure, print, and return what `--json` writes.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    _check_arguments(args)
    cfg = load_config(args)
    require_stage(cfg, _STAGES[args.mode], source=args.config)
    cfg.load_from = args.checkpoint
    if args.amp is not None:
        use_mixed_precision(cfg, _STAGES[args.mode], dtype=args.amp)
    counts = dict(steps=args.max_iter, warmup=args.num_warmup)
    clock = time.thread_time if args.cpu_time else time.perf_counter
    if args.mode == 'train':
        found = measure_training(cfg, clock=clock, **counts)
    elif args.mode == 'data':
        found = measure_data(cfg, **counts)
    else:
        found = measure_test(
            cfg,
            candidates=args.candidates,
            evaluates=args.mode == 'eval',
            clock=clock,
            **counts,
        )
    kind = 'cpu' if args.cpu_time else 'wall'
    report = dict(config=args.config, mode=args.mode, clock=kind) | found
    if is_main_process():
        print('\n'.join(lines_of(report)), flush=True)
        if args.json:
            write_whole(Path(args.json), f'{json.dumps(report, indent=2)}\n'.encode())
    return report


def _check_arguments(args: argparse.Namespace) -> None:
    if args.max_iter < 1 or args.num_warmup < 0:
        raise UserError('--max-iter is at least 1, and --num-warmup at least 0')
    if args.candidates is not None and args.mode not in ('test', 'eval'):
        raise UserError(f'--candidates is for --mode test and eval, not {args.mode}')
    if args.mode == 'data' and (args.amp is not None or args.checkpoint):
        raise UserError('--mode data runs no model: leave out --amp and --checkpoint')
    if args.cpu_time and args.mode == 'data':
        raise UserError('--cpu-time does not see the workers of --mode data')
    if args.cpu_time and (torch.cuda.is_available() or torch.get_num_threads() > 1):
        raise UserError(
            '--cpu-time sees one thread: OMP_NUM_THREADS=1 for one, CUDA_VISIBLE_DEVICES=-1 for no '
            'GPU'
        )
