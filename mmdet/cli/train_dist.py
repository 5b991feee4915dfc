"""`mmdet-solo train-dist`: train in several processes, one a GPU, or that many on the CPU."""

import argparse
import os
import sys
from collections.abc import Sequence

import torch

from mmdet.engine.config import find_config, load_config, require_stage
from mmdet.engine.memory.auto_batch import set_batch_size
from mmdet.engine.preflight import check_files
from mmdet.engine.torchrun import Nodes, launch, nodes_of, threads_of_each
from mmdet.errors import UserError

from . import train


def natural(text: str) -> int:
    """Read a number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'{text!r} is not a number from 0')
    return int(text)


def positive(text: str) -> int:
    """Read a number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number from 1')
    return int(text)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Train a detector in several processes, one a GPU',
        epilog='Several nodes: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment of each',
    )
    parser.add_argument(
        'config', metavar='CONFIG', help='config file, or the name of a shipped config'
    )
    parser.add_argument(
        'processes', metavar='NUM_GPUS', type=positive, help='processes on each node'
    )
    parser.add_argument(
        'options',
        nargs=argparse.REMAINDER,
        help='those of the training, and --max-restarts N: begin anew from the last checkpoint '
        'after a process failed, at most N times',
    )
    args = parser.parse_args(argv)
    own = argparse.ArgumentParser(prog=parser.prog, add_help=False, allow_abbrev=False)
    own.add_argument('--max-restarts', type=natural, default=0)
    own.add_argument('--auto-batch', action='store_true')
    _, args.options = own.parse_known_args(args.options, args)
    return args


def _with_batch_size(args: argparse.Namespace, processes: int, nodes: Nodes) -> list[str]:
    """Return options for each process with the largest batch that fits, found once for all."""
    if nodes.number > 1:
        raise UserError(
            '--auto-batch is for one machine: several may not find the same. Let it find the batch '
            'size on one, then set train_dataloader.batch_size'
        )
    cfg = load_config(args)
    require_stage(cfg, 'train', source=args.config)
    check_files(cfg, ('train',))
    set_batch_size(cfg, processes=processes)
    return ['--cfg-options', f'train_dataloader.batch_size={cfg.train_dataloader.batch_size}']


def main(argv: Sequence[str] | None = None) -> None:
    """Start the processes, and end as the first that failed.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    arguments = [args.config, '--launcher', 'pytorch', *args.options]
    # Once, and not by every process.
    find_config(args.config)
    parsed = train.parse_args(arguments)
    nodes = nodes_of(os.environ)
    if args.auto_batch:
        arguments += _with_batch_size(parsed, args.processes, nodes)
    os.environ.setdefault('OMP_NUM_THREADS', str(threads_of_each(args.processes)))
    if not torch.cuda.is_available():
        print(f'PyTorch sees no GPU: training on the CPU (processes: {args.processes})', flush=True)
    failure = launch(
        train.__name__,
        arguments,
        processes=args.processes,
        nodes=nodes,
        max_restarts=args.max_restarts,
    )
    if failure:
        print(f'error: {failure.message}', file=sys.stderr, flush=True)
        sys.exit(failure.code)
