"""Being asked to stop: by Ctrl-C, by a cluster that takes the machine away.

While a training takes steps a signal is noted, and the training's loop stops after the step that
it is in, in all processes after the same. Before that there is nothing to save, and a signal ends
the run at once. So does a second Ctrl-C.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch
import torch.distributed as dist
from mmengine.dist import is_distributed

from .host_group import host_group

# SIGUSR1 and SIGUSR2 are what clusters send some time before the end: sbatch --signal=USR1@120.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

# Seconds in which one request may arrive in several ways: from the terminal, and from torchrun.
_ONE_REQUEST = 1.0


class Stopped(SystemExit):
    """A training was asked to stop, and did; the exit code is a shell's, 128 + the signal.

    Args:
        by: the signal.
    """

    def __init__(self, by: signal.Signals) -> None:
        super().__init__(128 + by)
        self.by = by


class StopRequest:
    """What asked a training to stop, if anything did.

    Attributes:
        taking_steps: whether a signal is noted; otherwise it ends the run at once.
    """

    def __init__(self) -> None:
        self.taking_steps = False
        self._asked: signal.Signals | None = None
        self._asked_at = 0.0

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal.

        Raises:
            KeyboardInterrupt: Ctrl-C before the first step, or a second time.
            Stopped: another signal before the first step.
        """
        now = time.monotonic()
        again = self._asked is not None and now > self._asked_at + _ONE_REQUEST
        if number == signal.SIGINT and (again or not self.taking_steps):
            raise KeyboardInterrupt
        if not self.taking_steps:
            raise Stopped(signal.Signals(number))
        if self._asked is None:
            self._asked, self._asked_at = signal.Signals(number), now

    @property
    def asked(self) -> signal.Signals | None:
        """The first signal that this process was sent."""
        return self._asked

    def agree(self) -> signal.Signals | None:
        """Return what stops all processes; all of them are to call it after each step.

        They exchange one number on the host (0.1 to 0.2 ms for two processes of one machine). A
        GPU does not wait for it longer: the losses of the step have been read by then, for which
        all processes had to be as far.
        """
        if not is_distributed():
            return self._asked
        number = torch.tensor(self._asked or 0)
        dist.all_reduce(number, op=dist.ReduceOp.MAX, group=host_group())
        return signal.Signals(int(number)) if number else None

    def end_together(self) -> None:
        """After `agree`: wait for the others; what started them takes the first end for a fault."""
        if is_distributed():
            dist.barrier(group=host_group())


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Handle signals in the block, those that nobody handles yet, and in the main thread only.

    What a shell has a program in the background ignore, such as Ctrl-C, stays ignored.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    nobodys = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in STOPPING}
    ours = {number: handler for number, handler in before.items() if handler in nobodys}
    for number in ours:
        signal.signal(number, request.receive)
    try:
        yield request
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
