"""Where the programs that export COCO's format put its files.

| program | annotations | images |
| --- | --- | --- |
| COCO itself | `annotations/instances_train2017.json` | `train2017/` |
| Roboflow | `train/_annotations.coco.json`, `valid/...` | beside them |
| CVAT | `annotations/instances_default.json` | `images/`, also `images/default/` |
| Label Studio | `result.json` | `images/`, which its names begin with |
| Supervisely | `NAME/annotations/instances.json` | `NAME/images/` |
| others | any JSON in the folder or one below it | beside it, in `images/`, or in its namesake |

`images` may also have a folder called as the part: `images/train`.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mmdet.errors import UserError

# Of COCO's other tasks, and of LVIS, in the same folder
_OTHER_TASKS = (
    *('captions_', 'person_keypoints_', 'stuff_', 'panoptic_', 'image_info_'),
    'lvis_',
)
_PARTS = dict(
    train=('train', 'training'), val=('val', 'valid', 'validation'), test=('test', 'testing')
)
_SAMPLE = 20  # images of a file that are looked for
_MANY = 20  # JSON files in a folder are no longer COCO's if the first of them is none


def find_coco_parts(folder: Path) -> dict[str, dict]:
    """Return the parts of a data set in COCO's format; none where a folder is no such.

    Args:
        folder: with files as one of the programs above leaves them.

    Returns:
        Of `train`, `val`, `test` (or `all`, where a name says nothing) `ann_file` and
        `data_prefix`, seen from the folder.

    Raises:
        UserError: two files are for one part, or the images of one are nowhere.
    """
    parts: dict[str, dict] = {}
    for path, names in _annotation_files(folder):
        part = part_of(str(path.relative_to(folder)))
        if part in parts:
            raise UserError(
                f'{folder}: {parts[part]["ann_file"]} and {path.relative_to(folder)} are both for '
                f'{part}: keep one of them in the folder, or write a config that names both'
            )
        images = _image_folder(folder, path, part, names)
        parts[part] = dict(
            ann_file=str(path.relative_to(folder)), data_prefix=dict(img=_seen_from(folder, images))
        )
    return parts


def part_of(name: str) -> str:
    """Return which part a file or folder is of, by the last of its path's names that says it.

    A word that is that of a part counts more than one that has it within.

    Examples:
        >>> part_of('annotations/instances_val2017.json'), part_of('valid/a.json'), part_of('a')
        ('val', 'val', 'all')
        >>> part_of('valves_test.json'), part_of('minitrain.json')
        ('test', 'train')
    """
    for each in reversed(Path(name).with_suffix('').parts):
        words = re.findall('[a-z]+', each.lower())
        for is_said in (words.__contains__, each.lower().__contains__):
            for part, marks in _PARTS.items():
                if any(map(is_said, marks)):
                    return part
    return 'all'


def _annotation_files(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield COCO's files, with the names of some images of each."""
    below = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    for place in [folder, *below, *(each / 'annotations' for each in below)]:
        files = sorted(path for path in place.glob('*.json') if path.is_file())
        for path in files:
            if path.name.startswith(_OTHER_TASKS):
                continue
            names = _image_names(path)
            if names is not None:
                yield path, names
            elif len(files) > _MANY:
                break


def _image_names(path: Path) -> list[str] | None:
    """Return the names of some images of an annotation file; None where it is none of COCO's."""
    with path.open('rb') as file:
        if file.read(64).lstrip(b'\xef\xbb\xbf \t\r\n')[:1] not in (b'{', b'\xff', b'\xfe'):
            return None
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not {'images', 'annotations', 'categories'} <= set(content):
        return None
    images = content['images'] if isinstance(content['images'], list) else []
    names = [each.get('file_name') for each in images[:_SAMPLE] if isinstance(each, dict)]
    return [name for name in names if isinstance(name, str)]


def _image_folder(folder: Path, ann_file: Path, part: str, names: list[str]) -> Path:
    """Return the folder that most of an annotation file's images are in."""
    stem = ann_file.stem.removeprefix('instances_')
    near = [ann_file.parent, folder, ann_file.parent.parent]
    below = ['images', stem, f'images/{stem}', 'images/default', 'imgs', 'JPEGImages', 'data']
    below += [f'images/{part}', part]
    places = [*near, *(place / name for place in near for name in below)]
    places = [place for place in dict.fromkeys(places) if place.is_relative_to(folder)]
    counts = {place: _count_there(place, names) for place in places if place.is_dir()}
    best = max(counts, key=counts.__getitem__)
    if names and not counts[best]:
        raise UserError(
            f'{ann_file}: its images are nowhere ({names[0]} is in none of '
            f'{", ".join(_seen_from(folder, place) or "." for place in counts)}): put them in '
            f'{folder / "images"}'
        )
    return best


def _count_there(place: Path, names: list[str]) -> int:
    paths = [place / name.replace('\\', '/') for name in names]
    return sum(path.is_file() or (place / path.name).is_file() for path in paths)


def _seen_from(folder: Path, place: Path) -> str:
    relative = os.path.relpath(place, folder)
    return '' if relative == '.' else relative
