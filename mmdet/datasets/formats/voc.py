"""PASCAL VOC's instance segmentation format, and what other programs write in it.

http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/: two images for each picture,
`SegmentationObject`, in which each object has a number, and `SegmentationClass`, in which each
class has one; 0 is background and 255 is void, the seam around objects and what is too difficult.

labelme (labelme2voc.py) writes the names of its classes to `class_names.txt`, CVAT and Datumaro
names and colours to `labelmap.txt`; the latter's images are of these colours.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmdet.datasets.coco import CocoDataset
from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.findings import NOTICED
from mmdet.datasets.image_file import IMAGE_SUFFIXES
from mmdet.datasets.text_file import read_text
from mmdet.errors import UserError
from mmdet.registry import DATASETS

from .content import Content, leave_out_image
from .files import files_below, folder_of
from .label_map import LabelMapError, in_threads, masks_of, read_label_map
from .voc_classes import BACKGROUND, VOID, Classes, Colour, read_classes, voc_colour

_FOLDERS = dict(img='JPEGImages', inst='SegmentationObject', sem='SegmentationClass')


@DATASETS.register_module()
class VOCSegDataset(CocoDataset):
    """Images and instances of VOC's segmentation format.

    `ann_file` is a list of names, such as `ImageSets/Segmentation/train.txt`; without one, all
    that have a file of objects. `data_prefix=dict(img='JPEGImages', inst='SegmentationObject',
    sem='SegmentationClass')` are the three folders. The classes are VOC's 20, unless a
    `labelmap.txt` or a `class_names.txt` lies beside the folder `sem`.

    An object's class is that of most of its pixels in `sem`. Void pixels belong to no object. An
    image whose file of objects or of classes is missing or broken takes no part in training, and
    is refused with `test_mode`. All else is as in `CocoDataset`.

    Raises:
        UserError: see `CocoDataset`; a folder is not named or not there, no image of the list has
            masks, or a list of classes is none.
    """

    METAINFO: dict = {}
    LAYOUT = 'JPEGImages/, SegmentationObject/ and SegmentationClass/'

    def read(self) -> CocoFile:
        """Read the images of numbers, in threads."""
        folders = {kind: folder_of(self.data_prefix, kind, name) for kind, name in _FOLDERS.items()}
        classes = read_classes(Path(folders['sem']).parent)
        content = Content(self.source, dict(enumerate(classes.names, start=1)))
        masks = {_stem(name): name for name in files_below(folders['inst'], ('.png',))}
        names = read_names(self.ann_file) if self.ann_file else list(masks)
        if not any(name in masks for name in names):
            raise UserError(
                f'{self.source}: none of its {len(names)} images has a file in {folders["inst"]}'
            )
        pictures = {_stem(name): name for name in files_below(folders['img'], IMAGE_SUFFIXES)}
        pairs = [
            Pair(*(os.path.join(folders[kind], f'{name}.png') for kind in ('inst', 'sem')))
            for name in names
        ]
        read = in_threads(lambda pair: read_objects(pair, classes), pairs)
        for name, pair, found in zip(names, pairs, read, strict=True):
            if isinstance(found, LabelMapError):
                leave_out_image(content.findings, found.path, found.why, refused=self.test_mode)
                continue
            image_id = content.add_image(pictures.get(name, f'{name}.jpg'), *found.size)
            for each in found.objects:
                place = f'{pair.objects}, object {each.number}'
                unusable = None if each.category else f'without a class in {folders["sem"]}'
                if each.is_mixed:
                    what = 'objects whose pixels are of several classes: most of them count'
                    content.findings.add(NOTICED, what, place)
                content.add_object(
                    image_id, each.category, each.mask, place=place, unusable=unusable
                )
        return content.checked()

    @classmethod
    def find_parts(cls, folder: Path) -> dict[str, dict]:
        """Return the arguments of each part that a folder holds in this format.

        Args:
            folder: that may hold anything.

        Returns:
            Of `train`, `val` and `test`, or of `all`, the `ann_file` and `data_prefix` in the
            folder; of a folder of another format, nothing.
        """
        if not all((folder / name).is_dir() for name in _FOLDERS.values()):
            return {}
        masks = {_stem(name) for name in files_below(str(folder / _FOLDERS['inst']), ('.png',))}
        lists = {
            part: f'ImageSets/Segmentation/{part}.txt'
            for part in ('train', 'val', 'test')
            if (folder / f'ImageSets/Segmentation/{part}.txt').is_file()
        }
        # VOC's lists for tests are of images without masks.
        parts = {
            part: dict(ann_file=path, data_prefix=dict(_FOLDERS))
            for part, path in lists.items()
            if not masks.isdisjoint(read_names(str(folder / path)))
        }
        everything = dict(ann_file='', data_prefix=dict(_FOLDERS))
        return parts or (dict(all=everything) if masks else {})


class Pair(NamedTuple):
    """The files of an image's objects and of their classes."""

    objects: str
    classes: str


class FoundObject(NamedTuple):
    """An object of an image.

    Attributes:
        number: that its pixels have.
        category: the number of its class; 0 if it has none.
        is_mixed: whether its pixels are of several classes.
        mask: COCO's compressed RLE.
    """

    number: int
    category: int
    is_mixed: bool
    mask: dict


class FoundImage(NamedTuple):
    """The (height, width) of an image, and its objects."""

    size: tuple[int, int]
    objects: list[FoundObject]


def read_objects(pair: Pair, classes: Classes) -> FoundImage:
    """Return the objects of an image, in the order of their numbers.

    Raises:
        LabelMapError: a file cannot be used.
    """
    objects = _numbers_of_objects(read_label_map(pair.objects))
    categories = read_label_map(pair.classes)
    if categories.ndim == 3:
        categories = _numbers_of_colours(categories, classes.colours, pair.classes)
    if categories.shape != objects.shape:
        height, width = objects.shape
        raise LabelMapError(pair.classes, f'is not of {width} x {height} pixels, as the objects')
    objects = np.where(categories == VOID, VOID, objects).astype(objects.dtype)
    found = []
    for number, mask in masks_of(objects).items():
        if number in (BACKGROUND, VOID):
            continue
        counts = np.bincount(categories[objects == number], minlength=len(classes.names) + 1)
        counts[BACKGROUND] = 0
        category = int(counts.argmax()) if counts.any() else 0
        found.append(FoundObject(number, category, bool((counts > 0).sum() > 1), mask))
    return FoundImage(objects.shape, found)


def read_names(path: str) -> list[str]:
    """Return the names of images in a list, without suffixes, one a line, each once."""
    lines = (line.strip().replace('\\', '/') for line in read_text(path).split('\n'))
    names = list(dict.fromkeys(line for line in lines if line))
    if not names:
        raise UserError(f'{path} names no image')
    return names


def _numbers_of_objects(labels: np.ndarray) -> np.ndarray:
    """Return the (h, w) numbers of objects; colours are numbered in the order of their values."""
    if labels.ndim == 2:
        return labels
    packed = _packed(labels)
    void = _packed(np.array(voc_colour(VOID), np.uint8))
    numbers = np.zeros(packed.shape, np.uint16)
    numbers[packed == void] = VOID
    colours = [colour for colour in np.unique(packed) if colour not in (0, void)]
    for number, colour in enumerate(colours, start=1):
        numbers[packed == colour] = number + (number >= VOID)
    return numbers


def _numbers_of_colours(labels: np.ndarray, colours: dict[Colour, int], path: str) -> np.ndarray:
    packed = _packed(labels)
    table = {int(_packed(np.array(colour, np.uint8))): value for colour, value in colours.items()}
    numbers = np.zeros(packed.shape, np.uint8)
    for colour in np.unique(packed).tolist():
        if colour not in table:
            rgb = f'{colour >> 16}, {colour >> 8 & 255}, {colour & 255}'
            raise LabelMapError(path, f'has a colour of no class ({rgb})')
        numbers[packed == colour] = table[colour]
    return numbers


def _packed(labels: np.ndarray) -> np.ndarray:
    """Return (...) uint32 numbers of (..., 3) colours."""
    return labels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)


def _stem(name: str) -> str:
    return str(Path(name).with_suffix(''))
