"""Where COCO is, in the layout that the configs expect."""

from pathlib import Path

from mmdet.errors import UserError

LAYOUT = (
    'annotations/instances_train2017.json',
    'annotations/instances_val2017.json',
    'train2017/',
    'val2017/',
)
DOWNLOADS = 'train2017.zip (18 GB), val2017.zip (1 GB), annotations_trainval2017.zip (241 MB)'


def find_coco(folder: Path, *, name: str, needed: bool) -> bool:
    """Return whether `folder` holds COCO.

    Args:
        folder: where it may be.
        name: how the user knows the folder, for the message.
        needed: it is an error, too, if the folder holds nothing of it.

    Raises:
        UserError: a part of COCO is missing.
    """
    lacks = [part for part in LAYOUT if not (folder / part).exists()]
    if lacks and (needed or len(lacks) < len(LAYOUT)):
        raise UserError(
            'COCO is expected in this layout:\n'
            + ''.join(f'    {folder / part}\n' for part in LAYOUT)
            + f'{name} lacks: {", ".join(lacks)}'
        )
    return not lacks


def how_to_get_coco(folder: Path) -> str:
    """Return what to tell a user who has no COCO in `folder`."""
    return (
        f'No CONFIG was given, and COCO is neither in {folder} nor named by COCO_ROOT.\n'
        f'To train on it, download from cocodataset.org\n    {DOWNLOADS}\n'
        'and unpack them there, or in any folder with COCO_ROOT=/path/to/folder, so that it holds\n'
        + ''.join(f'    {part}\n' for part in LAYOUT)
        + 'Now training on the embedded data set instead.'
    )
