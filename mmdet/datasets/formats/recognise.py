"""Which format a folder's data set is in, and what its parts are."""

from pathlib import Path
from typing import NamedTuple

from mmdet.datasets.coco import CocoDataset
from mmdet.errors import UserError

from .cityscapes import CityscapesDataset
from .labelme import LabelmeDataset
from .lvis import LVISV05Dataset, LVISV1Dataset
from .parquet import ParquetDataset
from .voc import VOCSegDataset
from .yolo import YOLOSegDataset

FORMATS: tuple[type[CocoDataset], ...] = (
    ParquetDataset,
    YOLOSegDataset,
    VOCSegDataset,
    CityscapesDataset,
    LVISV1Dataset,
    LVISV05Dataset,
    CocoDataset,
    LabelmeDataset,
)
"""Tried in this order: those with the plainest signs first."""


class Recognised(NamedTuple):
    """A data set that was found in a folder.

    Attributes:
        root: the folder, or the only one within it.
        kind: the class that reads it.
        parts: for `train`, `val`, `test` (or `all`, where it is not divided) the arguments of
            `kind`, seen from `root`.
    """

    root: Path
    kind: type[CocoDataset]
    parts: dict[str, dict]

    def config(self, part: str) -> dict:
        """Return the dict that a config has for a part, without a pipeline."""
        return dict(type=self.kind.__name__, data_root=f'{self.root}/', **self.parts[part])


def recognise(folder: Path) -> Recognised:
    """Find out what a folder holds.

    Raises:
        UserError: there is no such folder, or nothing in it that is known; all that was looked for
            is listed.
    """
    if not folder.is_dir():
        raise UserError(f'{folder} is {"a file" if folder.exists() else "missing"}: name a folder')
    root = folder.resolve()
    while len(inside := _entries(root)) == 1 and inside[0].is_dir():
        root = inside[0]  # as archives are unpacked
    for kind in FORMATS:
        parts = kind.find_parts(root)
        if parts:
            return Recognised(root, kind, parts)
    looked = '\n'.join(f'    {kind.__name__:20}{kind.LAYOUT}' for kind in FORMATS)
    raise UserError(
        f'looked for:\n{looked}\n{folder} is no data set that is known: none of the files above is '
        'in it'
    )


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, without what systems leave there: .DS_Store, __MACOSX."""
    return [each for each in folder.iterdir() if not each.name.startswith(('.', '__MACOSX'))]
