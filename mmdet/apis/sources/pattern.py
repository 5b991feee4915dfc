"""The paths that a pattern stands for."""

from collections.abc import Iterator
from contextlib import suppress
from glob import escape, glob
from os import scandir
from os.path import join, realpath

_ANY = '**'


def matching(pattern: str) -> list[str]:
    """Return what `glob` finds, where `**` stands for any sub-folders.

    `glob` itself goes round a link that leads back to a folder around it, 40 times, and does not
    come to an end where there are two such links. Other links to folders are followed.
    """
    parts = pattern.split('/')
    if _ANY not in parts:
        return glob(pattern)
    index = parts.index(_ANY)
    rest = parts[index + 1 :] or ['*']
    begins = glob(join('/'.join(parts[:index]), '')) if index else ['']
    folders = (folder for begin in begins for folder in _folders_in(begin, ()))
    return list(
        dict.fromkeys(found for each in folders for found in matching(join(escape(each), *rest)))
    )


def _folders_in(folder: str, around: tuple[str, ...]) -> Iterator[str]:
    """Yield a folder and those below it, but hidden ones, as `glob` does."""
    real = realpath(folder or '.')
    if real in around:
        return
    yield folder
    below: list[str] = []
    with suppress(OSError), scandir(folder or '.') as entries:
        below = sorted(each.name for each in entries if each.name[0] != '.' and each.is_dir())
    for name in below:
        yield from _folders_in(join(folder, name), (*around, real))
