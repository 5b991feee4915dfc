"""Cityscapes's instances, straight from its `gtFine/*_instanceIds.png`.

https://github.com/mcordts/cityscapesScripts#dataset-structure: a value of 1000 or more is that of
an object, a thousand times the number of its class and a running number; one below is that of a
class, of pixels that are of no single object: a group, or a class that has no objects.
"""

import os
from pathlib import Path

from mmdet.datasets.coco import CocoDataset
from mmdet.datasets.coco_file import CocoFile
from mmdet.errors import UserError
from mmdet.registry import DATASETS

from .content import Content, leave_out_image
from .files import files_below, folder_of
from .label_map import LabelMapError, in_threads, masks_of, read_label_map

# Of the classes that Cityscapes evaluates objects of; caravans (29) and trailers (30) are not.
_CLASSES = {
    24: 'person',
    25: 'rider',
    26: 'car',
    27: 'truck',
    28: 'bus',
    31: 'train',
    32: 'motorcycle',
    33: 'bicycle',
}
_PICTURE, _MASKS = '_leftImg8bit', '_instanceIds.png'


@DATASETS.register_module()
class CityscapesDataset(CocoDataset):
    """Images and instances of Cityscapes, with its eight classes that have instances.

    With an `ann_file` that is the COCO file which mmdetection's converter makes. Without one the
    folders are read as Cityscapes has them, `data_prefix=dict(img='leftImg8bit/train',
    seg='gtFine/train')`: a group of objects that are not told apart is a crowd.

    An image whose file of instances is missing or broken takes no part in training, and is refused
    with `test_mode`. All else is as in `CocoDataset`.

    Raises:
        UserError: see `CocoDataset`; a folder is not named or not there, or no image has a file of
            instances.
    """

    METAINFO = dict(classes=tuple(_CLASSES.values()))
    LAYOUT = 'leftImg8bit/train/ and gtFine/train/'

    def read(self) -> CocoFile:
        """Read the COCO file, or else the images of numbers, in threads."""
        if self.ann_file:
            return super().read()
        pictures, masks = self._files()
        content = Content(self.source, _CLASSES)
        paths = [masks.get(_stem(name)) or _usual(name, self.data_prefix) for name in pictures]
        read = in_threads(_read, paths)
        for name, path, found in zip(pictures, paths, read, strict=True):
            if isinstance(found, LabelMapError):
                leave_out_image(content.findings, found.path, found.why, refused=self.test_mode)
                continue
            size, objects = found
            image_id = content.add_image(name, *size)
            for number, mask in objects.items():
                is_group = number < 1000
                category = number if is_group else number // 1000
                if category in _CLASSES:
                    place = f'{path}, {"group" if is_group else "object"} {number}'
                    content.add_object(image_id, category, mask, place=place, iscrowd=is_group)
        return content.checked()

    def _files(self) -> tuple[list[str], dict[str, str]]:
        """Return the names of the pictures, and the path of each one's instances by its stem."""
        folder = folder_of(self.data_prefix, 'img', 'leftImg8bit/train')
        truth = folder_of(self.data_prefix, 'seg', 'gtFine/train')
        pictures = [name for name in files_below(folder, ('.png', '.jpg')) if _PICTURE in name]
        if not pictures:
            raise UserError(f'{folder} has no images of Cityscapes: none is *{_PICTURE}.png')
        masks = {_stem(name): os.path.join(truth, name) for name in files_below(truth, (_MASKS,))}
        if not any(_stem(name) in masks for name in pictures):
            raise UserError(
                f'{truth}: none of the {len(pictures)} images has a file of instances; that of '
                f'{pictures[0]} would be {_usual(pictures[0], self.data_prefix)}'
            )
        return pictures, masks

    @classmethod
    def find_parts(cls, folder: Path) -> dict[str, dict]:
        """Return the arguments of each part that a folder holds in this format.

        Args:
            folder: that may hold anything.

        Returns:
            Of `train` and `val`, `ann_file` and `data_prefix` in the folder; of a folder of another
            format, nothing. Cityscapes's `test` has no instances.
        """
        return {
            part: dict(ann_file='', data_prefix=dict(img=f'leftImg8bit/{part}', seg=seg))
            for part in ('train', 'val')
            if (folder / 'leftImg8bit' / part).is_dir()
            and (folder / (seg := f'gtFine/{part}')).is_dir()
        }


def _read(path: str) -> tuple[tuple[int, int], dict[int, dict]]:
    """Return the (height, width) of an image of numbers, and the mask of each, lowest first."""
    labels = read_label_map(path)
    if labels.ndim != 2:
        raise LabelMapError(path, 'has colours, where instances have numbers')
    height, width = labels.shape
    return (height, width), masks_of(labels)


def _stem(name: str) -> str:
    """Return what the files of a picture have in common, with its city.

    Examples:
        >>> _stem('ulm/ulm_000000_000019_leftImg8bit.png')
        'ulm/ulm_000000_000019'
        >>> _stem('ulm/ulm_000000_000019_gtFine_instanceIds.png')
        'ulm/ulm_000000_000019'
    """
    return name.split(_PICTURE)[0].split('_gt')[0]


def _usual(name: str, data_prefix: dict) -> str:
    return os.path.join(data_prefix['seg'], f'{_stem(name)}_gtFine{_MASKS}')
