"""How a command becomes a program, whichever way it was called."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import record

from mmdet.errors import exit_on_user_error


def run(main: Callable[[], object]) -> None:
    """Run a command on this process's command line; a user's mistake is one line and exit code 2.

    Where torchrun started the process, it learns of what it failed.
    """
    with exit_on_user_error(), leaving_at_the_end():
        record(main)()


@contextmanager
def leaving_at_the_end() -> Iterator[None]:
    """Leave the other processes once a command is through, or was asked to stop and did.

    After an error nothing is waited for.
    """
    try:
        yield
    except SystemExit as stop:
        # The frames that it came through hold the runner, and that the groups.
        traceback.clear_frames(stop.__traceback__)
        _leave()
        raise
    _leave()


def _leave() -> None:
    if dist.is_initialized():
        # Not at the top: what needs no training to run would start in twice the time.
        from mmdet.engine.processes import leave_processes

        leave_processes()
