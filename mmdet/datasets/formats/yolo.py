"""Ultralytics' YOLO segmentation format.

https://docs.ultralytics.com/datasets/segment/: a `data.yaml` names the classes; each image has a
text file, found by writing `labels` for the last `images` in its path, with a line for each object:
`class x1 y1 x2 y2 ...`, a polygon in shares of the image's width and height. Label Studio's export
has a `classes.txt`, with a name in each line, and no `data.yaml`.
"""

import logging
import os
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import yaml
from mmengine.logging import print_log

from mmdet.datasets.coco import CocoDataset
from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.coco_values import whole_number
from mmdet.datasets.findings import NOTICED
from mmdet.datasets.image_file import IMAGE_SUFFIXES
from mmdet.datasets.image_header import image_sizes
from mmdet.datasets.text_file import read_text
from mmdet.errors import UserError
from mmdet.registry import DATASETS

from .content import Content, leave_out_image
from .files import files_below

# CVAT writes a part as its task calls it: Train, Validation.
_PARTS = dict(train='train', val='val', valid='val', validation='val', test='test')
_BOX = 4  # numbers of a box: its middle, width and height


@DATASETS.register_module()
class YOLOSegDataset(CocoDataset):
    """Images and instances of Ultralytics' YOLO segmentation format.

    `ann_file` is the `data.yaml`, or Label Studio's `classes.txt`, of which the names of the
    classes are taken; they are the `classes` unless `metainfo` names some.
    `data_prefix=dict(img=...)` is a folder of images, such as `images/train`, with those below it,
    or a text file with an image's path in each line. So one data set is one part: what `data.yaml`
    calls `train` or `val` is for the config to name.

    A line that is no polygon (a box, or not in shares of the image) is left out, as is one that
    stands twice; an image without a label file has no objects. All else is as in `CocoDataset`.

    Raises:
        UserError: see `CocoDataset`; no image has a label file.
    """

    METAINFO: dict = {}
    LAYOUT = 'data.yaml with `names` and `train`, or classes.txt; images/ and labels/'

    @classmethod
    def find_parts(cls, folder: Path) -> dict[str, dict]:
        """Return the parts that a folder's `data.yaml` names, as far as they are there.

        With a `classes.txt` instead, the folders in `images` are parts, or it is one.
        """
        for path in sorted([*folder.glob('*.yaml'), *folder.glob('*.yml')]):
            try:
                settings = read_settings(str(path))
            except UserError:
                continue  # another program's
            named = {
                _PARTS[key.lower()]: settings[key] for key in settings if key.lower() in _PARTS
            }
            if any(named.values()):
                return _parts(folder, path, settings.get('path'), named)
        if not all((folder / name).exists() for name in ('classes.txt', 'images', 'labels')):
            return {}
        there = {
            part: f'images/{name}'
            for name, part in _PARTS.items()
            if (folder / 'images' / name).is_dir()
        }
        return {
            part: dict(ann_file='classes.txt', data_prefix=dict(img=place))
            for part, place in (there or dict(all='images')).items()
        }

    def read(self) -> CocoFile:
        """Read the label files; sizes are the images' own."""
        content = Content(self.source, read_names(self.ann_file or ''))
        images = find_images(self.data_prefix['img'])
        labels = [label_file(path) for path in images]
        found = [os.path.isfile(path) for path in labels]
        folder = self.data_prefix['img']
        if not any(found):
            raise UserError(
                f'{folder}: none of its {len(images)} images has a label file; that of {images[0]} '
                f'would be {labels[0]}'
            )
        is_folder = os.path.isdir(folder)
        sizes = image_sizes(images)
        for path, label, is_there, size in zip(images, labels, found, sizes, strict=True):
            if size is None:
                leave_out_image(content.findings, path, 'cannot be read', refused=self.test_mode)
                continue
            name = os.path.relpath(path, folder) if is_folder else os.path.abspath(path)
            image_id = content.add_image(name, *size)
            if is_there:
                _add_objects(content, image_id, label, size)
            else:
                what = 'images without a label file, and so without objects'
                content.findings.add(NOTICED, what, path)
        return content.checked()


def _parts(folder: Path, path: Path, start: object, named: Mapping) -> dict[str, dict]:
    """Return the arguments of each part that is there.

    Args:
        folder: that is looked in.
        path: of the `data.yaml`.
        start: its `path`.
        named: what it says of each part.
    """
    parts = {}
    for part, value in named.items():
        if isinstance(value, list):
            raise UserError(
                f'{path}: `{part}` is a list of folders: put their images in one, or write a '
                'config with a ConcatDataset of YOLOSegDatasets'
            )
        if not isinstance(value, str) or not value:
            continue
        value = value.replace('\\', '/')
        # Roboflow writes `../train/images` where train/images is meant; Ultralytics' own files have
        # a `path` of their own machine.
        places = [folder / value, folder / value.removeprefix('../')]
        if isinstance(start, str):
            places.insert(0, folder / start / value)
        if value.startswith('/') or value[1:2] == ':':  # of another machine, perhaps
            places += [folder / end for end in _ends(value) if end != 'images']
        there = next((place for place in places if place.exists()), None)
        if there is not None:
            seen = os.path.relpath(there, folder)
            parts[part] = dict(ann_file=path.name, data_prefix=dict(img=seen))
            continue
        looked = ', '.join(map(str, dict.fromkeys(places)))
        nowhere = f'{path}: the images of `{part}` are nowhere: looked for {looked}'
        if part == 'train':
            raise UserError(nowhere)
        # Roboflow names a test part whether there is one or not.
        print_log(f'{nowhere}; it is left out', logger='current', level=logging.WARNING)
    return parts


def read_settings(path: str) -> dict:
    """Return what a `data.yaml` holds.

    Raises:
        UserError: it is missing, or is none.
    """
    if not path:
        raise UserError("YOLOSegDataset needs ann_file='data.yaml', which names the classes")
    try:
        # All that is no list and no mapping is text: a class may be called `no`, or `007`.
        content = yaml.load(read_text(path), Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise UserError(f'{path} is not YAML: {" ".join(str(error).split())}') from None
    if not isinstance(content, dict) or 'names' not in content:
        raise UserError(f"{path} is no data.yaml of Ultralytics': it has no entry `names`")
    return content


def read_names(path: str) -> dict[int, str]:
    """Return the name of each class number in a `data.yaml`, or in a text file with one a line.

    Raises:
        UserError: the file is missing, or its `names` are neither a list nor numbered.
    """
    if path.endswith('.txt'):
        lines = [line.strip() for line in read_text(path).split('\n')]
        if not any(lines):
            raise UserError(f'{path} names no class; it has one a line')
        return {number: line for number, line in enumerate(lines) if line}
    names = read_settings(path)['names']
    numbered: dict = {}
    if isinstance(names, list):
        numbered = dict(enumerate(names))
    elif isinstance(names, dict):
        numbered = {whole_number(key): name for key, name in names.items()}
    if (
        not numbered
        or None in numbered
        or not all(isinstance(each, str) for each in numbered.values())
    ):
        raise UserError(f'{path}: `names` is {names!r}; it is a list, or numbers with their names')
    return dict(sorted(numbered.items()))


def find_images(source: str) -> list[str]:
    """Return the paths of the images of a part, in the order of their names or of the list.

    Args:
        source: a folder, or a text file with a path in each line, from the list's own folder if it
            is no absolute one. Where the first is not there, what all have in front of it as
            another machine saw them, or CVAT's `data/`, is left out.

    Raises:
        UserError: there is no such folder or list, or it has no images.
    """
    if os.path.isdir(source):
        found = [os.path.join(source, name) for name in files_below(source, IMAGE_SUFFIXES)]
    elif source.endswith('.txt'):
        lines = [line.strip().replace('\\', '/') for line in read_text(source).split('\n')]
        start = os.path.dirname(source)
        names = [line for line in lines if line]
        front = _front(names[0], start) if names else ''
        found = [os.path.normpath(os.path.join(start, name.removeprefix(front))) for name in names]
    else:
        raise UserError(
            f'image folder {source} does not exist: name one in data_prefix=dict(img=...), such as '
            "'images/train', or a text file that lists the images"
        )
    if not found:
        raise UserError(f'{source} has no images: none of {", ".join(IMAGE_SUFFIXES)}')
    return found


def _front(name: str, start: str) -> str:
    """Return what is in front of an image's path from a folder; nothing where it is not found."""
    for end in [name, *_ends(name)]:
        if os.path.isfile(os.path.join(start, end)):
            return name.removesuffix(end)
    return ''


def _ends(path: str) -> list[str]:
    """Return the ends of a path, the longest first.

    Examples:
        >>> _ends('/a/b/c')
        ['a/b/c', 'b/c', 'c']
    """
    parts = path.split('/')
    return ['/'.join(parts[first:]) for first in range(1, len(parts))]


def label_file(image: str) -> str:
    """Return where the objects of an image are: beside it if no folder is called `images`.

    Examples:
        >>> label_file('data/images/train/images/1.jpg')
        'data/images/train/labels/1.txt'
    """
    *folders, name = Path(image).parts
    if 'images' in folders:
        last = len(folders) - 1 - folders[::-1].index('images')
        folders[last] = 'labels'
    return str(Path(*folders, name).with_suffix('.txt'))


def _add_objects(content: Content, image_id: int, path: str, size: tuple[int, int]) -> None:
    seen: set[str] = set()
    for number, line in enumerate(read_text(path).split('\n'), start=1):
        values = line.split()
        if not values:
            continue
        place = f'{path}, line {number}'
        category = whole_number(values[0])
        polygon, unusable = _polygon(values[1:], size)
        if line in seen:
            unusable = 'that stand twice in their file'
        seen.add(line)
        content.add_object(
            image_id,
            -1 if category is None else category,
            [polygon],
            place=place,
            unusable=unusable,
        )


def _polygon(values: list[str], size: tuple[int, int]) -> tuple[list[float], str | None]:
    """Return x1, y1, x2, y2, ... in pixels, and why they are no polygon."""
    height, width = size
    if len(values) == _BOX:
        return [], 'that are boxes, where a polygon has three points or more'
    try:
        shares = [float(value) for value in values]
    except ValueError:
        return [], 'whose coordinates are not all numbers'
    if any(share > 1.01 for share in shares):
        return [], "with coordinates above 1, where YOLO's are shares of the image"
    if len(shares) % 2:
        return [], 'with half a point'
    pairs = zip(shares[0::2], shares[1::2], strict=True)
    return list(chain.from_iterable((x * width, y * height) for x, y in pairs)), None
