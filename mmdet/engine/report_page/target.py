"""The files that a report is written to."""

from pathlib import Path

from mmdet.errors import UserError
from mmdet.utils.files import check_folder

from .frame import mark_of

_HEAD = 4096  # bytes of a file that its mark is in


def check_target(option: str, target: str | Path, *, made_by: str) -> None:
    """See that a file can be written, and that nothing of somebody else's is written over.

    Args:
        option: that names the file.
        target: the file: a page, or figures as JSON that begin with `made_by`.
        made_by: the command, which may write over what it made itself.

    Raises:
        UserError: it is a folder, somebody else's, or cannot be written.
    """
    path = Path(target)
    if path.is_dir():
        raise UserError(f'{option} {target} is a folder: name a file in it')
    if path.exists():
        with path.open('rb') as file:
            head = file.read(_HEAD)
        if not any(mark.encode() in head for mark in (mark_of(made_by), f'"made_by": "{made_by}"')):
            raise UserError(
                f'{option} {target} exists, and was not made by this command: name another '
                'file, or remove it'
            )
    check_folder(path.absolute().parent)
