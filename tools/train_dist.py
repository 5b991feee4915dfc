"""Train in several processes, one a GPU; without a GPU, that many on the CPU.

python tools/train_dist.py CONFIG NUM_GPUS [options of tools/train.py]
"""

import argparse
import os
import runpy
import sys
from pathlib import Path

import torch

from mmdet.engine.quick_start import find_config
from mmdet.engine.torchrun import launch, nodes_of, threads_of_each
from mmdet.errors import exit_on_user_error

TRAIN = Path(__file__).resolve().with_name('train.py')


def positive(text: str) -> int:
    """Read a number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number from 1')
    return int(text)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Train a detector in several processes, one a GPU',
        epilog='Several nodes: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment of each',
    )
    parser.add_argument('config', metavar='CONFIG', help='config file')
    parser.add_argument(
        'processes', metavar='NUM_GPUS', type=positive, help='processes on each node'
    )
    parser.add_argument('options', nargs=argparse.REMAINDER, help='those of tools/train.py')
    return parser.parse_args()


def main() -> None:
    """Start the processes, and end as the first that failed."""
    args = parse_args()
    os.chdir(find_config(args.config, here=Path.cwd(), repo=TRAIN.parents[1]))
    arguments = [args.config, '--launcher', 'pytorch', *args.options]
    # Once, and not by every process.
    runpy.run_path(str(TRAIN))['parse_args'](arguments)
    os.environ.setdefault('OMP_NUM_THREADS', str(threads_of_each(args.processes)))
    if not torch.cuda.is_available():
        print(f'PyTorch sees no GPU: training on the CPU (processes: {args.processes})', flush=True)
    failure = launch(TRAIN, arguments, processes=args.processes, nodes=nodes_of(os.environ))
    if failure:
        print(f'error: {failure.message}', file=sys.stderr, flush=True)
        sys.exit(failure.code)


if __name__ == '__main__':
    with exit_on_user_error():
        main()
