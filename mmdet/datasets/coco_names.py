"""The names of images as other machines have them, and the files that they are of."""

import os
from collections import Counter
from collections.abc import Sequence
from functools import cache
from os.path import basename, dirname, join

from .findings import REPAIRED, Findings


def files_in(folder: str) -> set[str] | None:
    """Return the names in a folder, none where there is no such; None where they cannot be listed.

    One look into a folder is quicker than one at each of its files.
    """
    try:
        return set(os.listdir(folder or '.'))
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError:
        return None


def names_that_are_there(images: Sequence[dict], folder: str, findings: Findings) -> list[dict]:
    """Return images by the names of files that are there, where it is plain which these are.

    A name with backslashes, of an absolute path or of another folder is often that of the machine
    that it was written on. Where it is not of a file here, but its last part is that of one in the
    folder of the images, and of no other image's name, that file is meant. All other names stay,
    also one that leads out of the data set: that is not for this to allow.

    Args:
        images: with `id` and `file_name`.
        folder: of the images, on a local disk.
        findings: what is repaired is added here.
    """
    listed = cache(files_in)
    lasts = Counter(_last(image['file_name']) for image in images)

    def is_there(name: str) -> bool:
        path = join(folder, name)
        names = listed(dirname(path))
        return names is None or basename(path) in names

    def found(image: dict) -> dict:
        name = image['file_name']
        last = _last(name)
        if name == last or is_there(name):
            return image
        slashed = name.replace('\\', '/')
        where = f'image {image["id"]!r} ({name})'
        if slashed != name and is_there(slashed):
            what = 'images whose file_name has backslashes, where / is meant'
            findings.add(REPAIRED, what, where)
            return {**image, 'file_name': slashed}
        if lasts[last] == 1 and is_there(last):
            what = f'images named by a path of another place: taken from {folder or "."}'
            findings.add(REPAIRED, what, where)
            return {**image, 'file_name': last}
        return image

    return [found(image) for image in images]


def _last(name: str) -> str:
    r"""Return the last part of a path of any system.

    Examples:
        >>> _last('C:\\photos\\a.jpg'), _last('/data/b.jpg'), _last('c.jpg')
        ('a.jpg', 'b.jpg', 'c.jpg')
    """
    return name[max(name.rfind('/'), name.rfind('\\')) + 1 :]
