"""The newest of what comes in, for whoever is slower than it comes."""

from collections.abc import Iterator
from threading import Condition, Thread

from .picture import Picture


class Newest(Iterator[Picture]):
    """Pictures of a live source; those that come while another is looked at are left out.

    A thread of its own takes them, as a camera or a network would otherwise hold them back, and
    what is seen would lie further behind with each.

    Args:
        pictures: where they come from, read in the thread.
    """

    def __init__(self, pictures: Iterator[Picture]) -> None:
        self._pictures = pictures
        self._picture: Picture | None = None
        self._error: Exception | None = None
        self._has_ended = False
        self._is_closed = False
        self._changed = Condition()
        self._skipped = 0
        self._thread = Thread(target=self._take, daemon=True)
        self._thread.start()

    def __next__(self) -> Picture:
        with self._changed:
            while self._picture is None and not self._has_ended:
                self._changed.wait()
            if self._picture is not None:
                picture, self._picture = self._picture, None
                return picture
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Stop after the picture that is now being read."""
        self._is_closed = True
        self._thread.join()

    def notes(self, name: str) -> list[str]:
        """Say how many were left out."""
        if not self._skipped:
            return []
        return [
            f'{name}: {self._skipped} frames came while others were looked at, and were skipped'
        ]

    def _take(self) -> None:
        try:
            for picture in self._pictures:
                with self._changed:
                    self._skipped += self._picture is not None
                    self._picture = picture
                    self._changed.notify()
                if self._is_closed:
                    break
        except Exception as error:  # whatever it is, it belongs to the other thread
            self._error = error
        finally:
            # A generator is closed by the thread that runs it.
            getattr(self._pictures, 'close', lambda: None)()
            with self._changed:
                self._has_ended = True
                self._changed.notify()
