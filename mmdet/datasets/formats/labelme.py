"""labelme's format: a JSON file beside each image.

https://github.com/wkentaro/labelme: `imagePath`, `imageHeight`, `imageWidth` and `shapes`, which
`labelme_shapes.py` reads; `imageData` may hold the image itself. A file of labels, one a line, is
what labelme takes for `--labels`.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets.coco import CocoDataset
from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.findings import NOTICED, Findings
from mmdet.datasets.image_file import IMAGE_SUFFIXES
from mmdet.datasets.image_header import image_sizes
from mmdet.datasets.text_file import read_text
from mmdet.errors import UserError
from mmdet.registry import DATASETS

from .content import Content, leave_out_image
from .files import files_below, folder_of
from .labelme_file import NO_OBJECTS, LabelmeFile, find_picture, label_of, read_file
from .labelme_shapes import objects_of, read_shape, united

_LOOKED_AT = 20  # files of a folder, to see whether it is labelme's


@DATASETS.register_module()
class LabelmeDataset(CocoDataset):
    """Images and instances of labelme's format.

    `data_prefix=dict(img=...)` is the folder of the JSON files and their images, with those below
    it. `ann_file` is a text file of labels, one a line, and labels that it lacks are left out;
    without one the classes are those of `metainfo`, or else the labels that are found, sorted,
    which may be others in another part of the data: that is said.

    Polygons, rectangles, circles and masks are objects, those of one label and `group_id` one;
    points and lines are left out. An image is looked for where `imagePath` says, and if it is not
    there, or that is out of the data set, under its name beside the JSON file, and then in that
    file, in `imageData`. Its size is the JSON
    file's. An image without a JSON file takes no part. One that is missing, or whose JSON file is
    broken, takes no part in training, and is refused with `test_mode`. All else is as in
    `CocoDataset`.

    Raises:
        UserError: see `CocoDataset`; the folder has no JSON file of labelme's, or the list of
            labels is missing or empty.
    """

    METAINFO: dict = {}
    LAYOUT = "labelme's JSON files with `shapes` and `imagePath`, in folders below too"

    def read(self) -> CocoFile:
        """Read the JSON files."""
        folder = folder_of(self.data_prefix, 'img', 'FOLDER')
        findings = Findings()
        files = self._files(folder, findings)
        pictures = [find_picture(file, self._roots(), findings) for file in files]
        sizes = _sizes(files, pictures)
        names = self._names(files, findings)
        content = Content(self.source, dict(enumerate(names)), findings)
        for file, picture, size in zip(files, pictures, sizes, strict=True):
            if picture is None or size is None:
                path, why = _why_unusable(file, picture)
                leave_out_image(findings, path, why, refused=self.test_mode)
            else:
                image_id = content.add_image(os.path.relpath(picture, folder), *size)
                self._add_objects(content, image_id, file, size, names)
        known = set(pictures)
        for name in files_below(folder, IMAGE_SUFFIXES):
            if os.path.join(folder, name) not in known:
                what = 'images without a JSON file, which take no part'
                findings.add(NOTICED, what, os.path.join(folder, name))
        return content.checked()

    def _files(self, folder: str, findings: Findings) -> list[LabelmeFile]:
        names = files_below(folder, ('.json',))
        files = []
        for path in (os.path.join(folder, name) for name in names):
            try:
                file = read_file(path)
            except ValueError:
                leave_out_image(findings, path, 'is not JSON', refused=self.test_mode)
                continue
            if file is None:
                findings.add(NOTICED, "JSON files that are not labelme's", path)
            else:
                files.append(file)
        if not files:
            raise UserError(
                f"{folder}: none of its {len(names)} JSON files is labelme's, with 'shapes' and "
                "'imagePath'"
            )
        return files

    def _names(self, files: Sequence[LabelmeFile], findings: Findings) -> list[str]:
        """Return the names of the classes."""
        if self.ann_file:
            return read_labels(self.ann_file)
        found = sorted({label_of(shape) for file in files for shape in file.shapes})
        found = [label for label in found if label not in NO_OBJECTS]
        wanted = self.metainfo.get('classes')
        if wanted is not None:
            return found + [name for name in wanted if name not in found]
        what = (
            'data set whose classes are the labels found in it: so that each part numbers them '
            "alike, name them in ann_file='labels.txt', one a line, or in metainfo"
        )
        findings.add(NOTICED, what, ', '.join(found[:10]) + ', ...' * (len(found) > 10))
        return found

    def _add_objects(
        self,
        content: Content,
        image_id: int,
        file: LabelmeFile,
        size: tuple[int, int],
        names: Sequence[str],
    ) -> None:
        shapes = []
        for number, entry in enumerate(file.shapes, start=1):
            if label_of(entry) in NO_OBJECTS:
                what = f'shapes labelled {" or ".join(NO_OBJECTS)}, which are no objects'
                content.findings.add(NOTICED, what, f'{file.path}, shape {number}')
            else:
                shapes.append(read_shape(entry, number, *size))
        for parts in objects_of(shapes):
            label = parts[0].label
            segmentation, unusable = united(parts, *size)
            if label not in names:
                unusable = f'whose label is not in {self.ann_file}'
            content.add_object(
                image_id,
                names.index(label) if label in names else -1,
                segmentation,
                place=f'{file.path}, shape {parts[0].number} ({label})',
                unusable=unusable,
            )

    @classmethod
    def find_parts(cls, folder: Path) -> dict[str, dict]:
        """Return the arguments of each part that a folder holds in this format.

        Args:
            folder: that may hold anything.

        Returns:
            Of its folders `train`, `val` and `test`, or of `all`, the `ann_file` and `data_prefix`
            in it; of a folder of another format, nothing.
        """
        labels = 'labels.txt' if (folder / 'labels.txt').is_file() else ''
        parts = {
            part: dict(ann_file=labels, data_prefix=dict(img=part))
            for part in ('train', 'val', 'test')
            if _has_labelme(folder / part)
        }
        everything = dict(ann_file=labels, data_prefix=dict(img=''))
        return parts or (dict(all=everything) if _has_labelme(folder) else {})


def read_labels(path: str) -> list[str]:
    """Return the labels in a file of labelme's, one a line, without those that are no objects.

    Raises:
        UserError: the file is missing, or has none.
    """
    lines = [line.strip() for line in read_text(path).split('\n')]
    labels = [line for line in dict.fromkeys(lines) if line and line not in NO_OBJECTS]
    if not labels:
        raise UserError(f'{path} names no label; it has one a line')
    return labels


def _sizes(
    files: Sequence[LabelmeFile], pictures: Sequence[str | None]
) -> list[tuple[int, int] | None]:
    """Return the (height, width) that each file says, and else that of its picture."""
    unsaid = [
        picture
        for file, picture in zip(files, pictures, strict=True)
        if file.size is None and picture is not None
    ]
    own = dict(zip(unsaid, image_sizes(unsaid), strict=True))
    return [
        file.size or own.get(picture or '') for file, picture in zip(files, pictures, strict=True)
    ]


def _why_unusable(file: LabelmeFile, picture: str | None) -> tuple[str, str]:
    """Return the file without which an image takes no part, and why, to be read behind it."""
    if picture is not None:
        return picture, 'cannot be read'
    return file.path, f'names an image that does not exist, {file.image_path!r}'


def _has_labelme(folder: Path) -> bool:
    """Return whether one of the first JSON files in a folder is labelme's."""
    for name in files_below(str(folder), ('.json',))[:_LOOKED_AT]:
        try:
            if read_file(str(folder / name)) is not None:
                return True
        except ValueError:
            pass
    return False
