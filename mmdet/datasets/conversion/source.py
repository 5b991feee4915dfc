"""Opening what is to be converted: a folder, or an annotation file and its images."""

from pathlib import Path

from mmdet.datasets.coco import CocoDataset
from mmdet.datasets.formats.recognise import FORMATS, recognise
from mmdet.errors import UserError

KINDS = {kind.__name__: kind for kind in FORMATS}
_BY_SUFFIX = {'.json': 'CocoDataset', '.yaml': 'YOLOSegDataset', '.yml': 'YOLOSegDataset'}


def open_source(
    path: Path, *, images: str | None = None, kind: str | None = None, trusted: bool = False
) -> dict[str, CocoDataset]:
    """Return the parts of a data set, none of them read yet.

    Args:
        path: a folder, or an annotation file.
        images: the folder of the images of an annotation file.
        kind: the class that reads it, by its name in a config; None finds it out.
        trusted: images may lie outside of the folder.

    Returns:
        The data set of each part; an annotation file is one part, `all`.

    Raises:
        UserError: there is nothing there, or nothing known.
    """
    if path.is_dir():
        if images is not None:
            raise UserError(f'--images is for an annotation file, and {path} is a folder')
        if kind is None:
            root, cls, parts = recognise(path)
        else:
            root, cls = path, KINDS[kind]
            parts = cls.find_parts(path)
        if not parts:
            raise UserError(f'{path} is no {kind}: it looks for {cls.LAYOUT}')
        return {
            part: cls(data_root=str(root), lazy_init=True, allow_outside_root=trusted, **arguments)
            for part, arguments in parts.items()
        }
    if not path.is_file():
        raise UserError(f'{path} does not exist: name a folder, or an annotation file')
    if images is None:
        raise UserError(f'{path} is a file: name the folder of its images with --images DIR')
    kind = kind or _BY_SUFFIX.get(path.suffix.lower())
    if kind is None:
        raise UserError(
            f'{path}: its ending does not tell its format: name it with --format, one of '
            f'{", ".join(KINDS)}'
        )
    prefix = dict(img=images)
    return {
        'all': KINDS[kind](
            str(path), data_prefix=prefix, lazy_init=True, allow_outside_root=trusted
        )
    }
