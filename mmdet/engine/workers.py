"""What the workers of data loaders do when they start, and what they do about signals.

A terminal sends Ctrl-C to every process of a run, and a cluster its own signals. What they mean is
for the main process to decide; a worker that were interrupted as well would end in the middle of
an image, and print a traceback of its own after the run's last line, or have the main process fail
in the step that it is to finish.
"""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from threading import Thread
from types import TracebackType

from torch.utils.data import DataLoader

from .signals import STOPPING


def leave_interrupts_to_main(loader: DataLoader) -> None:
    """Let the workers of a loader go on when the run is interrupted, until the loader ends them.

    Args:
        loader: changed in place, before its first worker starts.
    """
    at_worker_start(loader, _leave_interrupts_to_main)


def at_worker_start(loader: DataLoader, act: Callable[[], object]) -> None:
    """Have each worker of a loader do something first, and then what it was to do.

    Args:
        loader: changed in place, before its first worker starts.
        act: of a module, so that a worker that does not fork finds it.
    """
    loader.worker_init_fn = partial(_start_worker, act=act, then=loader.worker_init_fn)


def _start_worker(
    worker_id: int, *, act: Callable[[], object], then: Callable[[int], object] | None
) -> None:
    act()
    if then is not None:
        then(worker_id)


def _leave_interrupts_to_main() -> None:
    for number in STOPPING:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    # A loader ends its workers by SIGTERM, so this one is ignored from others alone. Who sent a
    # signal is told to those who wait for it, not to a handler.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    Thread(target=_end_with_loader, args=(os.getppid(),), daemon=True).start()
    sys.excepthook = _print_unless_hung_up


def _end_with_loader(main: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != main:
        pass
    os._exit(0)


def _print_unless_hung_up(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    # A main process that ends while it fetches an image drops the connection to the worker, whose
    # thread for it (multiprocessing.resource_sharer) hands that error on to here, and goes on.
    if not issubclass(kind, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, traceback)
