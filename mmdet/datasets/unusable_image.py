"""Images that training cannot use: from the data set that meets one to whoever keeps the list.

A data set is often inside of others, and in a worker process. So what it meets is noted aside, for
as long as somebody listens, and goes to the main process with the sample it was met for.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from mmengine.logging import print_log


class UnusableImage(NamedTuple):
    """An image that another one took the place of.

    Attributes:
        path: of its file.
        reason: a sentence that names the file.
        ann_file: of the data set it is in, if that has a limit.
        limit: how many of that data set's may be so.
        of: how many images that data set has.
    """

    path: str
    reason: str
    ann_file: str = ''
    limit: int = 0
    of: int = 0


_listener: ContextVar[list[UnusableImage] | None] = ContextVar('unusable images', default=None)


@contextmanager
def unusable_images_noted() -> Iterator[list[UnusableImage]]:
    """Note the images of the block that cannot be used; the list grows as they are met."""
    noted: list[UnusableImage] = []
    token = _listener.set(noted)
    try:
        yield noted
    finally:
        _listener.reset(token)


def note_unusable(image: UnusableImage) -> None:
    """Note an image; where nobody listens, say it in the log."""
    noted = _listener.get()
    if noted is None:
        print_log(image.reason, logger='current', level=logging.WARNING)
    else:
        noted.append(image)
