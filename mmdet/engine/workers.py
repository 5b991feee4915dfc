"""Ctrl-C and the workers of data loaders.

A terminal sends Ctrl-C to every process of a run. What it means is for the main process to
decide; a worker that were interrupted as well would end in the middle of an image, and print a
traceback of its own after the run's last line.
"""

import signal
import sys
from collections.abc import Callable
from functools import partial
from types import TracebackType

from torch.utils.data import DataLoader


def leave_interrupts_to_main(loader: DataLoader) -> None:
    """Let the workers of a loader go on when the run is interrupted, until the loader ends them.

    Args:
        loader: changed in place, before its first worker starts.
    """
    loader.worker_init_fn = partial(_start_worker, then=loader.worker_init_fn)


def _start_worker(worker_id: int, *, then: Callable[[int], object] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = _print_unless_hung_up
    if then is not None:
        then(worker_id)


def _print_unless_hung_up(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    # A main process that ends while it fetches an image drops the connection to the worker, whose
    # thread for it (multiprocessing.resource_sharer) hands that error on to here, and goes on.
    if not issubclass(kind, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, traceback)
