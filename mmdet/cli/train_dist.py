"""`mmdet-solo train-dist`: train in several processes, one a GPU, or that many on the CPU."""

import argparse
import os
import sys
from collections.abc import Sequence

import torch

from mmdet.engine.config import find_config
from mmdet.engine.torchrun import launch, nodes_of, threads_of_each

from . import train


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
    parser.add_argument('options', nargs=argparse.REMAINDER, help='those of the training')
    return parser.parse_args(argv)


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
    train.parse_args(arguments)
    os.environ.setdefault('OMP_NUM_THREADS', str(threads_of_each(args.processes)))
    if not torch.cuda.is_available():
        print(f'PyTorch sees no GPU: training on the CPU (processes: {args.processes})', flush=True)
    failure = launch(
        train.__name__, arguments, processes=args.processes, nodes=nodes_of(os.environ)
    )
    if failure:
        print(f'error: {failure.message}', file=sys.stderr, flush=True)
        sys.exit(failure.code)
