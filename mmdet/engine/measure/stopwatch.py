"""Times of named parts, which add up to the time of all."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

import torch


class Stopwatch:
    """Gives each moment to one part: the innermost that is open.

    Of a GPU, a time is taken when all that was queued is done. So where parts are told apart, the
    host no longer queues one while the GPU computes another, and together they take longer.

    Args:
        device: whose work is timed.
        rest: the part that what belongs to no other is given to.
        clock: gives the time, in seconds.

    Attributes:
        splits: whether parts are told apart; else all is the rest's.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        rest: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.splits = True
        self._device = device
        self._clock = clock
        self._open = [rest]
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._since = self._now()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Give what is done in the block to a part, but for parts that it opens itself."""
        if not self.splits:
            yield
            return
        self._note()
        self._open.append(name)
        try:
            yield
        finally:
            self._note()
            self._open.pop()

    def lap(self) -> dict[str, float]:
        """Return the seconds of each part since the last call, or since the stopwatch was made."""
        self._note()
        seconds, self._seconds = self._seconds, defaultdict(float)
        return dict(seconds)

    def _note(self) -> None:
        now = self._now()
        self._seconds[self._open[-1]] += now - self._since
        self._since = now

    def _now(self) -> float:
        if self._device.type == 'cuda':
            torch.cuda.synchronize(self._device)
        return self._clock()


@contextmanager
def timed(stopwatch: Stopwatch, owner: object, name: str, part: str) -> Iterator[None]:
    """Give what a function does, which `owner` has as its attribute `name`, to a part.

    The owner is an object, whose class stays as it is, or a module; nothing else is to know of it.
    """
    function: Callable = getattr(owner, name)

    @wraps(function)
    def measured(*args: object, **kwargs: object) -> object:
        with stopwatch.part(part):
            return function(*args, **kwargs)

    own = vars(owner).get(name)
    setattr(owner, name, measured)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)
