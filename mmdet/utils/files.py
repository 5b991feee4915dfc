"""Files and folders that are written to."""

import os
import tempfile
from pathlib import Path

from mmdet.errors import UserError


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
