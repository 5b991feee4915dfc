"""What files are called that are written for pictures."""

from itertools import chain, count
from pathlib import Path

import cv2
from mmengine.logging import print_log

from .sources.opening import IMAGES


class OutputFiles:
    """Names after the pictures' own, where no two pictures get one.

    A name that another picture has already gets a number, which the log says. So `a/1.jpg` and
    `b/1.jpg` are `1` and `1_1`, and so are `1.jpg` and `1.png`: they may lead to files with the
    same ending.
    """

    def __init__(self) -> None:
        self._owners: dict[str, dict[str, str]] = {}  # of each folder's names

    def file(self, folder: str, kind: str, path: str, suffix: str) -> Path:
        """Return `folder/kind/NAME suffix` for the picture at `path`, the same each time."""
        owners = self._owners.setdefault(folder, {})
        stem = Path(path).stem
        names = chain([stem], (f'{stem}_{number}' for number in count(1)))
        name = next(name for name in names if owners.get(name, path) == path)
        if name not in owners and name != stem:
            print_log(f'{folder}: {stem} is {owners[stem]}, so {name} is {path}', logger='current')
        owners[name] = path
        return Path(folder, kind, name + suffix)


def picture_suffix(path: str) -> str:
    """Return a picture's own ending, if pictures can be written with it, else `.jpg`."""
    suffix = Path(path).suffix
    return suffix if suffix.lower() in IMAGES and cv2.haveImageWriter(f'x{suffix}') else '.jpg'
