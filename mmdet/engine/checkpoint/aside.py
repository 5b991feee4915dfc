"""Files that come into a folder whole, or not at all.

A process may be killed, and a disk run full, at any byte of a file. So it is written aside, below
the folder and hence on the same file system; once the disk has all of it, it is renamed, which
either happens or does not.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.fileio import LocalBackend

from mmdet.datasets.file_backend import file_backend
from mmdet.datasets.transforms.loading import as_backend_args

# Hidden, and without files of a checkpoint's name beside the whole ones.
NAME = '.saving'


@contextmanager
def written_aside(folder: Path) -> Iterator[Path]:
    """Give a folder whose files are moved to `folder` at the end of the block, under their names.

    If the block raises, they are deleted, and `folder` is as it was. Of a killed process they stay
    where they are, see `clear_aside`.

    Args:
        folder: for the files; made if it is not there.

    Raises:
        OSError: a file cannot be written; `filename` is the folder's.
    """
    aside = folder / NAME
    try:
        aside.mkdir(parents=True, exist_ok=True)
        yield aside
        written = [path for path in aside.iterdir() if not path.is_symlink()]
        for path in written:
            _flush(path)
        for path in written:
            path.replace(folder / path.name)
        _flush(folder)
    except OSError as error:
        if error.filename is None or Path(error.filename).is_relative_to(aside):
            error.filename = str(folder)
        raise
    finally:
        clear_aside(folder)


def clear_aside(folder: Path) -> None:
    """Delete what a killed process was writing for this folder."""
    shutil.rmtree(folder / NAME, ignore_errors=True)


def is_local(folder: str, file_client_args: dict | None, backend_args: dict | None) -> bool:
    """Return whether a folder is on a disk of this machine; mmengine's arguments say it."""
    arguments = as_backend_args(file_client_args) or backend_args
    return isinstance(file_backend(folder, arguments), LocalBackend)


def _flush(path: Path) -> None:
    """Wait until the disk has a file, or a folder's entries."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot do it for folders, whose entries they send at once.
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)
