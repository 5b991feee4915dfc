"""`mmdet-solo train`: train a detector."""

import argparse
import os
from collections.abc import Sequence
from contextlib import nullcontext

from mmengine.runner import Runner

from mmdet.cli.program import run
from mmdet.engine.checkpoint import check_fit, checkpoint_to_resume
from mmdet.engine.config import (
    add_amp_argument,
    add_common_arguments,
    load_config,
    require_stage,
    use_mixed_precision,
    words_of,
)
from mmdet.engine.launch import build_runner
from mmdet.engine.memory.auto_batch import set_batch_size
from mmdet.engine.only_run import only_run_in
from mmdet.engine.preflight import check_files
from mmdet.engine.processes import is_first_process
from mmdet.engine.restart import was_restarted
from mmdet.errors import UserError


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Train a detector')
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint; without a name, from the latest in the work directory',
    )
    add_amp_argument(parser)
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by the batch size over all processes to the config's",
    )
    parser.add_argument(
        '--auto-batch',
        action='store_true',
        help='find the largest train_dataloader.batch_size that fits into memory, by trying',
    )
    add_common_arguments(parser)
    return parser.parse_args(words_of(argv))


def main(argv: Sequence[str] | None = None, *, stages: Sequence[str] = ('train', 'val')) -> Runner:
    """Train, and return the runner: its `work_dir` holds what the training left.

    Args:
        argv: the command line without the program's name; this process's own if it is None.
        stages: of `train`, `val` and `test`, those whose files are looked for before the training.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    cfg = load_config(args)
    require_stage(cfg, 'train', source=args.config)
    if args.amp is not None:
        use_mixed_precision(cfg, 'train', dtype=args.amp)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise UserError(f'--auto-scale-lr needs auto_scale_lr.base_batch_size in {args.config}')
        cfg.auto_scale_lr.enable = True
    if was_restarted(os.environ, cfg.work_dir):
        args.resume = 'auto'
    if args.resume not in (None, 'auto'):
        cfg.resume = True
        cfg.load_from = args.resume
    elif args.resume or (cfg.get('resume') and not cfg.get('load_from')):
        latest = checkpoint_to_resume(cfg.work_dir)
        cfg.resume = latest is not None
        cfg.load_from = latest or cfg.get('load_from')
    if args.auto_batch and cfg.launcher != 'none':
        raise UserError(
            '--auto-batch is for one process, or train_dist.sh: let it find the batch size on one '
            'GPU, then set train_dataloader.batch_size'
        )
    check_files(cfg, stages)
    with only_run_in(cfg.work_dir) if is_first_process(cfg.launcher) else nullcontext():
        if args.auto_batch:
            set_batch_size(cfg)
        runner = build_runner(cfg)
        if cfg.get('resume'):
            check_fit(runner.model, cfg.load_from, resume=True)
        elif args.resume:
            runner.logger.info(f'Nothing to resume in {cfg.work_dir} yet: training begins')
        runner.train()
    return runner


if __name__ == '__main__':
    run(main)  # in each process that train_dist.py starts
