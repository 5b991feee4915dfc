"""Data sets as they are read, brought together to be written: one list of classes, checked images.

What of an image cannot be used is found here, before anything is written.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonpath, dirname, join, normpath, relpath
from pathlib import Path, PurePath
from typing import NamedTuple

from mmdet.datasets.coco import CocoDataset
from mmdet.datasets.coco_file import CocoFile, category_labels
from mmdet.datasets.coco_images import leads_out
from mmdet.datasets.coco_values import Identifier
from mmdet.datasets.embedded_image import embedded_image, embedded_suffix, is_embedded
from mmdet.datasets.findings import LEFT_OUT, NOTICED, Findings
from mmdet.datasets.image_header import ImageFile, check_image_files, image_sizes
from mmdet.datasets.split import split_images
from mmdet.errors import UserError

from .upright import orientation, turned, turned_box

PARTS = ('train', 'val', 'test')

_MOST_UNUSABLE = 0.1  # share of the images, as in a training


class Picture(NamedTuple):
    """An image and its objects.

    Attributes:
        path: of the file.
        image: COCO's entry; its `file_name` is the one that it is to have in its part.
        annotations: COCO's entries, with numbers of `Collection.categories` as `category_id`.
    """

    path: str
    image: dict
    annotations: list[dict]

    def labels(self) -> set[int]:
        """Return the classes of its objects."""
        return {each['category_id'] for each in self.annotations if not each['iscrowd']}


@dataclass
class Collection:
    """A data set to write.

    Attributes:
        categories: COCO's entries, in the order of the classes; their ids are numbers from 1 on.
        parts: by name.
        findings: what was left out of it.
    """

    categories: list[dict]
    parts: dict[str, list[Picture]]
    findings: Findings

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in their order."""
        return [category['name'] for category in self.categories]

    def split(self, shares: Sequence[float], seed: int) -> 'Collection':
        """Return all images, shared out anew to `train`, `val` and, if there are three, `test`.

        Classes that are then missing in a part are counted among the findings.

        Args:
            shares: of the parts; see `split_images`.
            seed: the same gives the same parts.

        Raises:
            UserError: the shares are none, or there are fewer images than parts.
        """
        # The order in which a program listed the images is nothing to depend on.
        ordered = sorted(
            (picture for part in self.parts.values() for picture in part),
            key=lambda picture: (picture.image['file_name'], picture.path),
        )
        pictures: dict[Identifier, Picture] = dict(enumerate(ordered))
        given = f'--split {" ".join(f"{share:g}" for share in shares)}'
        if not 2 <= len(shares) <= len(PARTS):
            raise UserError(f'{given}: it takes two shares, of train and val, or three, with test')
        if len(pictures) < len(shares):
            raise UserError(f'{given}: there are {len(pictures)} images for {len(shares)} parts')
        objects = [
            dict(image_id=number, category_id=label)
            for number, picture in pictures.items()
            for label in sorted(picture.labels())
        ]
        images = [dict(id=number) for number in pictures]
        whole = CocoFile('', images, objects, self.categories, self.findings)
        try:
            divided = split_images(whole, shares, seed)
        except ValueError as error:
            raise UserError(f'{given}: {error}') from None
        parts = [[pictures[number] for number in part] for part in divided]
        self._note_missing_classes(parts)
        named = {name: _named(part) for name, part in zip(PARTS, parts, strict=False)}
        return Collection(self.categories, named, self.findings)

    def _note_missing_classes(self, parts: Sequence[Sequence[Picture]]) -> None:
        held = [Counter(label for picture in part for label in picture.labels()) for part in parts]
        for label, name in enumerate(self.classes):
            numbers = [counts[label] for counts in held]
            if any(numbers) and not all(numbers):
                where = f'{name!r}, which {sum(numbers)} images have'
                self.findings.add(NOTICED, 'classes that a part is without', where)


def collect(sources: dict[str, CocoDataset]) -> Collection:
    """Read the parts of a data set, and look at their images.

    Args:
        sources: the part's name of each; `all` becomes `train`.

    Raises:
        UserError: something is missing or refused; an image's name leads out of the data set; more
            than a tenth of the images cannot be used.
    """
    files = [source.read() for source in sources.values()]
    for coco in files:
        coco.say_findings()
    categories, labels = _merged(files)
    findings = Findings()
    parts = {}
    for (name, source), coco, of_category in zip(sources.items(), files, labels, strict=True):
        pictures = _pictures(source, coco, of_category)
        parts['train' if name == 'all' else name] = _named(_usable(pictures, coco.path, findings))
    return Collection(categories, parts, findings)


def _merged(files: Sequence[CocoFile]) -> tuple[list[dict], list[dict]]:
    """Return the categories of all files, and the label of each file's category ids."""
    by_name: dict[str, dict] = {}
    keep_ids = True
    found = []
    for coco in files:
        names = tuple(dict.fromkeys(category['name'] for category in coco.categories))
        of_category = category_labels(coco, names)
        found.append((names, of_category))
        for category in coco.categories:
            if category['id'] in of_category:
                first = by_name.setdefault(category['name'], category)
                keep_ids &= first['id'] == category['id']
    ids = [category['id'] for category in by_name.values()]
    # Many programs take 0 for the background.
    keep_ids &= len(set(ids)) == len(ids) and all(type(each) is int and each > 0 for each in ids)
    categories = list(by_name.values())
    if not keep_ids:
        categories = [{**each, 'id': number} for number, each in enumerate(categories, 1)]
    number_of = {name: number for number, name in enumerate(by_name)}
    labels = [
        {key: number_of[names[label]] for key, label in of_category.items()}
        for names, of_category in found
    ]
    return categories, labels


def _pictures(source: CocoDataset, coco: CocoFile, of_category: dict) -> list[Picture]:
    folder = source.data_prefix['img']
    roots = [source.data_root or folder, folder]
    annotations: dict[object, list[dict]] = {image['id']: [] for image in coco.images}
    for each in coco.annotations:
        if each['category_id'] in of_category:
            label = of_category[each['category_id']]
            annotations[each['image_id']].append({**each, 'category_id': label})
    for image in coco.images:
        if leads_out(image['file_name'], folder, roots) and not source.allow_outside_root:
            raise UserError(
                f'{coco.path}: image {image["id"]!r} ({image["file_name"]}) is outside of '
                f'{os.path.abspath(roots[0])}: if you trust the file, --allow-outside-root'
            )
    paths = [normpath(join(folder, image['file_name'])) for image in coco.images]
    above = commonpath([dirname(path) for path in paths]) if paths else ''
    return [
        Picture(path, {**image, 'file_name': _image_name(path, above)}, annotations[image['id']])
        for path, image in zip(paths, coco.images, strict=True)
    ]


def _image_name(path: str, above: str) -> str:
    """Return the name of an image below a folder; one that a JSON file holds has its ending."""
    name = relpath(path, above)
    if not is_embedded(path):
        return name
    try:
        image = embedded_image(Path(path).read_bytes())
    except (OSError, ValueError):
        return name  # it is left out as one that cannot be used
    return str(PurePath(name).with_suffix(embedded_suffix(image)))


def _usable(pictures: list[Picture], source: str, findings: Findings) -> list[Picture]:
    """Return the pictures that can be used, as they are shown."""
    files = [
        ImageFile(picture.path, (picture.image['height'], picture.image['width']))
        for picture in pictures
    ]
    errors = list(check_image_files(files))
    unusable = [error for error in errors if error is not None]
    if len(unusable) > _MOST_UNUSABLE * len(pictures):
        raise UserError(
            f'{source}: {len(unusable)} of {len(pictures)} images cannot be used; the first: '
            f'{unusable[0]}'
        )
    for error in unusable:
        findings.add(LEFT_OUT, 'images that cannot be used', str(error))
    usable = [each for each, error in zip(pictures, errors, strict=True) if error is None]
    if not usable:
        raise UserError(f'{source} has no images')
    sizes = image_sizes([each.path for each in usable])
    return [
        picture
        if size == (picture.image['height'], picture.image['width'])
        else _shown(picture, findings)
        for picture, size in zip(usable, sizes, strict=True)
    ]


def _shown(picture: Picture, findings: Findings) -> Picture:
    """Return a picture whose annotations are for the stored image; see `upright.py`."""
    height, width = picture.image['height'], picture.image['width']
    how = orientation(picture.path)
    findings.add(NOTICED, 'photos annotated as stored: turned to what is shown', picture.path)
    annotations = [
        {
            **each,
            'segmentation': turned(each['segmentation'], how, height, width),
            'bbox': turned_box(each['bbox'], how, height, width),
        }
        for each in picture.annotations
    ]
    image = {**picture.image, 'height': width, 'width': height}
    return Picture(picture.path, image, annotations)


def _named(pictures: Sequence[Picture]) -> list[Picture]:
    """Return the pictures with names of which no two differ in the ending or in capitals alone."""
    taken: Counter[str] = Counter()
    named = []
    for picture in pictures:
        name = PurePath(picture.image['file_name'])
        wanted = name
        number = 1
        while taken[str(name.with_suffix('')).lower()]:
            number += 1
            name = wanted.with_stem(f'{wanted.stem}_{number}')
        taken[str(name.with_suffix('')).lower()] += 1
        named.append(picture._replace(image={**picture.image, 'file_name': str(name)}))
    return named
