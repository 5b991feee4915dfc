"""Folders that a data set names, and the files in them."""

import os
from collections.abc import Mapping

from mmdet.errors import UserError


def files_below(folder: str, suffixes: tuple[str, ...]) -> list[str]:
    """Return the files in a folder and in those below it, by their names from there.

    What macOS writes beside a file on other systems' disks, `._NAME`, is none of them.

    Args:
        folder: that may be missing: then there are none.
        suffixes: how their names end, in small letters or in capitals.
    """
    suffixes = tuple(suffix.lower() for suffix in suffixes)
    return sorted(
        os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, '/')
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(suffixes) and not name.startswith('._')
    )


def folder_of(data_prefix: Mapping[str, str], kind: str, usual: str) -> str:
    """Return a folder that a data set's `data_prefix` names.

    Args:
        data_prefix: with `data_root` before each.
        kind: the name in it.
        usual: what the folder is usually called, for messages.

    Raises:
        UserError: it is not named, or not there.
    """
    folder = data_prefix.get(kind)
    if not folder:
        raise UserError(
            f'data_prefix={dict(data_prefix)} does not name the folder {kind!r}: '
            f'write {kind}={usual!r}'
        )
    if not os.path.isdir(folder):
        raise UserError(f'folder {folder} of data_prefix=dict({kind}=...) does not exist')
    return folder
