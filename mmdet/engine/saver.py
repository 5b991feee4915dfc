"""Which process saves: the first, or one that cannot wait for it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from mmengine.dist import is_main_process

_alone = ContextVar('_alone', default=False)


def saves() -> bool:
    """Return whether this process is to save."""
    return is_main_process() or _alone.get()


@contextmanager
def saving_alone(folder: Path) -> Iterator[None]:
    """Let this process save in the block, whatever its rank; others that do so wait for it.

    Args:
        folder: what is saved to; it may be on other storage than a disk.
    """
    handle = os.open(folder, os.O_RDONLY) if folder.is_dir() else None
    token = _alone.set(True)
    try:
        if handle is not None:
            with suppress(OSError):  # some network file systems lock no folders
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        _alone.reset(token)
        if handle is not None:
            os.close(handle)
