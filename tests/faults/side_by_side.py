"""Processes of one training, forked from the test: they need not import everything again."""

import multiprocessing
import os
import socket
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmdet.cli.program import leaving_at_the_end
from mmdet.errors import exit_on_user_error


def free_port() -> str:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def threads_of_groups() -> int:
    """Return how many threads of this process serve its groups of processes, as Linux counts."""
    names = [path.read_text() for path in Path('/proc/self/task').glob('*/comm')]
    return sum('gloo' in name for name in names)


def run(work: Callable[[int], object], folder: Path, *, processes: int = 2) -> list[int]:
    """Have each process do its work as a tool would, and return their exit codes.

    What they print is in `folder`, in `output_0` and so on. One that hangs is ended, and its code
    is -9.

    Args:
        work: is told the process's number. Where there are several, a runner of which the launcher
            is `pytorch` finds the others.
        folder: for the output.
        processes: how many.
    """
    if torch.cuda.is_available():
        pytest.skip('the processes are forked, which a GPU does not bear')
    folder.mkdir(exist_ok=True)
    port = free_port()

    def start(rank: int) -> None:
        warnings.simplefilter('ignore')
        os.environ |= dict(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes))
        os.environ |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
        with (folder / f'output_{rank}').open('w', buffering=1) as sys.stdout:
            sys.stderr = sys.stdout
            try:
                with exit_on_user_error(), leaving_at_the_end():
                    work(rank)
            except Exception:
                traceback.print_exc()
                sys.exit(1)

    fork = multiprocessing.get_context('fork')
    started = [fork.Process(target=start, args=(rank,)) for rank in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join(300)
        process.kill()
        process.join()
    codes = [process.exitcode for process in started]
    assert all(code is not None for code in codes)
    return [code for code in codes if code is not None]
