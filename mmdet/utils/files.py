"""Files and folders that are written to."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from mmdet.errors import UserError

_END = 4096  # bytes at either end of a file, in which the mark of who made it is


def check_folder(folder: Path) -> None:
    """Make sure that files can be made in a folder, which is made if it is not there.

    Raises:
        UserError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f'folder {folder} cannot be written: {error.strerror}; name another place'
        ) from None


def check_target(option: str, target: str | None, *, is_ours: Callable[[bytes], bool]) -> None:
    """See that a file can be written, and that nothing of somebody else's is written over.

    Args:
        option: that names the file.
        target: the file; None is none.
        is_ours: tells from the first and the last 4 KiB of a file whether the command made it.

    Raises:
        UserError: it is a folder, was made by something else, or its folder cannot be written.
    """
    if target is None:
        return
    path = Path(target)
    if path.is_dir():
        raise UserError(f'{option} {target} is a folder: name a file in it')
    if path.exists() and not is_ours(_ends(path)):
        raise UserError(
            f'{option} {target} exists, and was not made by this command: name another file, or '
            'remove it'
        )
    check_folder(path.absolute().parent)


def _ends(path: Path) -> bytes:
    with path.open('rb') as file:
        head = file.read(_END)
        file.seek(max(len(head), path.stat().st_size - _END))
        return head + file.read(_END)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, which is whole or, after a failure, what it was before; its folder is made.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
