"""Files that are whole at any time, also when the disk is full."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mmdet.apis.prediction import Prediction


class Output(Protocol):
    """Writes of each prediction what it is for.

    Attributes:
        places: the files and folders that it has written.
        notes: what else there is to say about them, a sentence each.
    """

    places: list[str]
    notes: list[str]

    def add(self, prediction: Prediction) -> None:
        """Write what belongs to a prediction.

        Raises:
            OSError: the disk is full, or cannot be written.
        """
        ...

    def close(self) -> None:
        """Finish what is open."""
        ...


class JsonList:
    """A list in a JSON file, to which is appended, and which is whole after every step.

    Args:
        path: of the file.
        head: of the file, up to the list's bracket.
        tail: what closes the list, and what stands after it.
    """

    def __init__(self, path: Path, *, head: str = '[', tail: str = ']') -> None:
        self._tail = f'\n{tail}\n'.encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not buffered: what the disk does not take is known at once.
        self._file = path.open('wb', buffering=0)
        self._end = len(head.encode())
        self._is_empty = True
        self._put(0, head.encode() + self._tail)

    def append(self, items: Sequence[dict]) -> None:
        """Append items, all or none.

        Raises:
            OSError: the disk is full.
        """
        if not items:
            return
        text = ',\n'.join(json.dumps(item, ensure_ascii=False) for item in items)
        # Of a path that is no UTF-8 Python makes what can be written in JSON's words alone.
        lines = text.encode(errors='backslashreplace')
        lines = (b'\n' if self._is_empty else b',\n') + lines
        try:
            self._put(self._end, lines + self._tail)
        except OSError:
            self._file.truncate(self._end)
            self._put(self._end, self._tail)  # for which there was room before
            raise
        self._end += len(lines)
        self._is_empty = False

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _put(self, position: int, content: bytes) -> None:
        self._file.seek(position)
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]
