"""The time in a video that was put together of several."""

# Frames and packets may come in another order than they are shown in, but not by so much: in
# seconds, and in steps from one to the next.
_REORDERED = (1.0, 16)


class Clock:
    """Times in seconds that go on where those of the next piece begin anew.

    Cameras of cars and television record in pieces, which are put together as they are.

    Args:
        step: from one frame or packet to the next, as long as nothing better is known.

    Examples:
        >>> clock = Clock(0.5)
        >>> [clock.at(time) for time in (8.0, 9.0, 10.0, 8.0, 9.0)]
        [8.0, 9.0, 10.0, 8.0, 9.0]
        >>> [clock.at(time) for time in (60.0, 61.0, 0.0, 1.0)]
        [60.0, 61.0, 62.0, 63.0]
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._shift = 0.0
        self._last: float | None = None

    def at(self, time: float) -> float:
        """Return a time, later by the length of the pieces that came before."""
        now = time + self._shift
        if self._last is None:
            self._last = now
        back = self._last - now
        seconds, steps = _REORDERED
        if back > max(seconds, steps * self._step):
            now = self._last + self._step
            self._shift = now - time
        elif back < 0:
            self._step = -back
        self._last = max(self._last, now)
        return now
