"""A folder that is there whole, or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmdet.datasets.embedded_image import embedded_image, is_embedded
from mmdet.errors import UserError
from mmdet.utils.files import check_folder

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to write into, which becomes `target` at the block's end.

    It lies beside `target` as `NAME.part`. If the block fails, by whatever, it is deleted; a
    process that is killed leaves it there.

    Raises:
        UserError: `target` is there already, or cannot be made.
        OSError: the disk is full; it names `target`.
    """
    target = target.absolute()
    if os.path.lexists(target):
        raise UserError(f'{target} is there already: nothing is written over; name another folder')
    check_folder(target.parent)
    part = target.with_name(f'{target.name}.part')
    try:
        part.mkdir()
    except FileExistsError:
        raise UserError(
            f'{part} is there: another conversion writes it, or one was killed; delete it if none '
            'runs, or name another folder'
        ) from None
    try:
        yield part
        # Over an empty folder that somebody made meanwhile, at most.
        part.rename(target)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in _FULL:
            # A copy names the file that it reads.
            raise OSError(error.errno, error.strerror, str(target)) from None
        raise


def put_image(source: str, target: Path, *, link: bool) -> None:
    """Copy an image, or make a hard link to it; its folder is made.

    One that a JSON file of labelme's holds is written out in any case.

    Raises:
        UserError: it cannot be linked.
        OSError: the disk is full, or cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_embedded(source):
        target.write_bytes(embedded_image(Path(source).read_bytes()))
        return
    if not link:
        shutil.copyfile(source, target)
        return
    try:
        os.link(os.path.realpath(source), target)
    except OSError as error:
        raise UserError(
            f'{source} cannot be linked to {target.parent} ({error.strerror}): leave out --link, '
            'and the images are copied'
        ) from None
