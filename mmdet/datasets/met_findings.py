"""What is repaired, or not trained on, in annotations that are read one by one.

From the data set that meets it, often in a worker process, it goes to the main process with the
sample it was met for, for as long as somebody listens; see `unusable_image.py`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from .findings import ListedFindings


class MetFinding(NamedTuple):
    """One of what was found; see `Findings.add`.

    Attributes:
        source: what messages call the data set.
        effect: one of `EFFECTS`.
        what: is wrong.
        where: it is.
    """

    source: str
    effect: str
    what: str
    where: str


_listener: ContextVar[list[MetFinding] | None] = ContextVar('met findings', default=None)
_said: set[tuple[str, str, str]] = set()  # by this process, where nobody listened


@contextmanager
def findings_noted() -> Iterator[list[MetFinding]]:
    """Note what is found in the annotations that the block reads; the list grows as it is met."""
    noted: list[MetFinding] = []
    token = _listener.set(noted)
    try:
        yield noted
    finally:
        _listener.reset(token)


def note_findings(source: str, findings: ListedFindings) -> None:
    """Note what was found in an image's annotations; where nobody listens, say it once a kind."""
    noted = _listener.get()
    if noted is not None:
        noted += (MetFinding(source, each.effect, each.what, each.where) for each in findings.all)
        return
    worker = get_worker_info()
    if worker is None or worker.id == 0:  # the others meet the same kinds
        for each in findings.all:
            kind = source, each.effect, each.what
            if kind not in _said:
                _said.add(kind)
                text = sentence(*kind, each.where)
                print_log(text, logger='current', level=logging.WARNING)


def sentence(source: str, effect: str, what: str, where: str) -> str:
    """Return what is said when a kind is met for the first time."""
    return f'{source}: {effect}, as it is read: {what} (first: {where})'
