"""One training in a work directory at a time.

Two would overwrite each other's checkpoints, and neither could be resumed. So a training holds a
lock on a file in the directory. The system gives it back when the process ends, however it ends,
and does not hand it on to the loaders' workers: a directory of a killed run is free at once.

On NFS the lock holds between machines if the server keeps locks (version 4 does). Where a file
system has no locks, a warning says so.
"""

import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.logging import print_log

from mmdet.errors import UserError

NAME = '.lock'
# The system would let a process lock a file again, and take the lock when it closes either.
_HELD: set[tuple[int, Path]] = set()


@contextmanager
def only_run_in(work_dir: str) -> Iterator[None]:
    """Keep other trainings out of a work directory for as long as the block lasts.

    In a process that has the lock already a second block changes nothing.

    Args:
        work_dir: the directory; made if it is not there.

    Raises:
        UserError: another process is training there, or the directory cannot be written.
    """
    path = Path(work_dir).resolve() / NAME
    held = (os.getpid(), path)
    if held in _HELD:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open('a+')
    except OSError as error:
        raise UserError(
            f'folder {work_dir} cannot be written: {error.strerror}; name another place'
        ) from None
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            holder = file.read().strip() or 'another process'
            raise UserError(
                f'{work_dir} is in use by another training ({holder}): wait for it, end it, or '
                'name another --work-dir'
            ) from None
        except OSError as error:
            print_log(
                f'{work_dir} cannot be locked ({error.strerror}): see to it that no other '
                'training writes there',
                'current',
                logging.WARNING,
            )
        file.truncate(0)
        began = time.strftime('%Y-%m-%d %H:%M:%S')
        file.write(f'process {os.getpid()} on {socket.gethostname()}, since {began}')
        file.flush()
        _HELD.add(held)
        try:
            yield
        finally:
            _HELD.discard(held)
