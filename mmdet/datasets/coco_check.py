"""All that is wrong in a data set in COCO's format, one by one, and what of it can be saved.

What counts as wrong, and what becomes of it in training, is `coco_file.py`'s to say.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .coco_annotations import place, why_untrained
from .coco_file import (
    CocoFile,
    check_content,
    garbage_left_alone,
    read_content,
    used_categories,
)
from .coco_images import leads_out, size_of
from .coco_names import names_that_are_there
from .coco_values import Identifier, identifier_key
from .findings import LEFT_OUT, NOTICED, REFUSED, REPAIRED, UNTRAINED, Finding, ListedFindings
from .image_file import UnusableImageError, read_image
from .image_header import ImageFile, check_image_files

DEFECTS = (REFUSED, LEFT_OUT, REPAIRED)
"""What is not as COCO has it; the rest is worth a note."""


@dataclass
class CheckedDataSet:
    """A data set that was looked at.

    Attributes:
        content: of the file, as it was given.
        coco: what of it can be used.
        findings: all that was found, in its order.
        unusable: the ids of the images whose pictures cannot be used.
    """

    content: dict
    coco: CocoFile
    findings: list[Finding]
    unusable: set[Identifier]

    def number_of_defects(self) -> int:
        """Return how many findings are more than a note."""
        return sum(finding.effect in DEFECTS for finding in self.findings)

    def lines(self) -> list[str]:
        """Return a line for each finding: file, what becomes of it, where it is, what it is."""
        names = {
            identifier_key(image.get('id')): image.get('file_name')
            for image in self.content['images']
            if isinstance(image, dict)
        }
        return [self._line(finding, names) for finding in self.findings]

    def _line(self, finding: Finding, names: dict) -> str:
        where = finding.where
        if finding.image is not None:
            where += f' ({names.get(identifier_key(finding.image), "no such image")})'
        link = ' ' if finding.effect == REFUSED else ': '  # see `Findings.add`
        return f'{self.coco.path}: {finding.effect}: {where}{link}{finding.what}'

    def saved(self) -> dict:
        """Return what can be saved, as a file holds it: repaired, and without what is left out.

        Of several categories of one name the annotations are given the first one's id; annotations
        without an id of their own get new ones.
        """
        # Of the categories that become one.
        first = {identifier: same[0] for same in _twins(self.coco) for identifier in same}
        images = [image for image in self.coco.images if image['id'] not in self.unusable]
        annotations = [
            {**each, 'category_id': first.get(each['category_id'], each['category_id'])}
            for each in self.coco.annotations
            if each['image_id'] not in self.unusable
        ]
        _number_anew(annotations)
        categories = [
            each for each in self.coco.categories if first.get(each['id'], each['id']) == each['id']
        ]
        return {
            **self.content,
            'images': images,
            'annotations': annotations,
            'categories': categories,
        }


def check_data_set(
    path: str, folder: str | None = None, *, decode: bool = False, take_sizes: bool = False
) -> CheckedDataSet:
    """Look at an annotation file, and at its images where they are named.

    Args:
        path: of the annotation file, on a local disk.
        folder: of the images; None looks at none of them.
        decode: read the images whole, not their first and last bytes alone.
        take_sizes: repair an image without a size by its picture's.

    Raises:
        UserError: the file is missing, is not JSON, or has not COCO's form.
    """
    findings = ListedFindings()
    with garbage_left_alone():
        content = read_content(path)
        given = content
        if folder is not None and take_sizes:
            given = {**content, 'images': _with_sizes(content['images'], folder, findings)}
        coco = check_content(given, path, findings)
        if folder is not None:
            coco.images = names_that_are_there(coco.images, folder, findings)
        images = {image['id']: image for image in coco.images}
        for annotation in coco.annotations:
            image = images[annotation['image_id']]
            if (reason := why_untrained(annotation, image)) is not None:
                findings.add(UNTRAINED, reason, place(annotation), image=image['id'])
        for same in _twins(coco):
            which = ' and '.join(map(repr, same))
            findings.add(REFUSED, 'have one name, and annotations', f'the categories {which}')
        unusable = set() if folder is None else _look(coco.images, folder, findings, decode=decode)
    return CheckedDataSet(content, coco, findings.all, unusable)


def _with_sizes(entries: Sequence, folder: str, findings: ListedFindings) -> list:
    """Return the images, with their pictures' sizes where they have none."""
    images = list(entries)
    for number, image in enumerate(entries):
        if not isinstance(image, dict) or not isinstance(image.get('file_name'), str):
            continue
        if size_of(image) is not None or leads_out(image['file_name'], folder, [folder]):
            continue
        try:
            height, width = read_image(os.path.join(folder, image['file_name'])).shape[:2]
        except UnusableImageError:
            continue
        images[number] = {**image, 'height': height, 'width': width}
        where = f'image {image.get("id")!r} ({image["file_name"]})'
        findings.add(REPAIRED, 'without a size: taken from its picture', where)
    return images


def _look(
    images: Sequence[dict], folder: str, findings: ListedFindings, *, decode: bool
) -> set[Identifier]:
    """Return the ids of the images whose pictures cannot be used."""
    files = [
        ImageFile(os.path.join(folder, image['file_name']), (image['height'], image['width']))
        for image in images
    ]
    unusable = set()
    errors = check_image_files(files, decode=decode)
    for image, error in zip(images, errors, strict=True):
        where = f'image {image["id"]!r} ({image["file_name"]})'
        if leads_out(image['file_name'], folder, [folder]):
            what = f'leads out of {folder}: refused, unless data_root is above both'
            findings.add(NOTICED, what, where)
        if error is not None:
            unusable.add(image['id'])
            findings.add(LEFT_OUT, str(error), where)
    return unusable


def _twins(coco: CocoFile) -> list[list[Identifier]]:
    return [
        same
        for name, number in Counter(each['name'] for each in coco.categories).items()
        if number > 1 and len(same := used_categories(coco, name)) > 1
    ]


def _number_anew(annotations: Sequence[dict]) -> None:
    """Give annotations without an id of their own new ones; all others keep theirs."""
    seen: set[Identifier | None] = {None}
    numbers = [key for each in annotations if type(key := identifier_key(each.get('id'))) is int]
    following = max(numbers, default=0) + 1
    for annotation in annotations:
        key = identifier_key(annotation.get('id'))
        if key in seen:
            annotation['id'] = following
            following += 1
        seen.add(key)
