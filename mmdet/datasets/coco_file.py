"""COCO annotation files as other programs write them: what is repaired, left out or refused.

All of it is decided here, once, when the file is read, by the data set and by the metric alike, so
that training and evaluation see the same annotations. What is repaired or left out is counted, and
said in one line of the log with the first of each kind; `mmdet-solo check-coco` names each.

| in the file | what becomes of it |
| --- | --- |
| no JSON, no COCO, no image, a section or field that is missing | refused |
| an image without a name, or without a height and width in whole pixels | refused |
| two images of one id | refused |
| two categories of one name, both with annotations | refused; where only one has any, it is taken |
| most boxes given as x1, y1, x2, y2, or not around their masks | refused |
| annotations, but fewer than half that can be used | refused |
| UTF-8 with or without a mark, UTF-16 | read |
| `annotations` missing or null | none: COCO's test splits come so |
| numbers as text (`"640"`, `"1"` beside `1`) or as `640.0` | repaired |
| ids of images and categories that are text | kept; numbered only inside the evaluation |
| ids of annotations that are missing or stand twice | repaired: numbered anew |
| an annotation's id of 0 | kept; numbered only inside the evaluation |
| a box that is missing, null, not four numbers, or without extent | repaired: from the mask |
| an area that is missing, null, no number, or not above 0 | repaired: from the mask |
| `iscrowd` missing | 0 |
| one polygon without the outer list; polygons or RLE as text | repaired |
| a part of fewer than three points, beside others | repaired |
| a polygon that reaches over the border, by less than a whole image | kept: decoding cuts it |
| a mask that is missing, of fewer than three points, outside of its image, far beyond it | left out |
| NaN, infinity or 1e9 among the coordinates | left out |
| RLE of another size, whose counts do not add up to the image, or that is no RLE | left out |
| an annotation of an image or a category that the file does not have | left out |
| a box of less than a pixel, or outside of the image; `ignore` | counts in evaluation, is not trained on |
| `iscrowd` | as COCO says: nothing is learned from it, and what is found in it is not wrong |
| `iscrowd` of a mask painted in CVAT, which has `attributes` with `occluded` | repaired: 0, since CVAT marks all such masks so |
| more than a quarter of all are `iscrowd` | kept so, and said |
| two images of one file | kept, and said |
| a `file_name` with backslashes, or a path that is not there, whose last part is in the images' folder | repaired: that file |
| a few boxes that do not lie around their masks | kept |
| a picture that is missing, broken, or of another size than its `height` and `width` | in training, another takes its place, see `CocoDataset`; refused in evaluation |
"""  # noqa: E501

import gc
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mmengine.logging import print_log

from mmdet.errors import UserError

from .coco_annotations import check_annotations
from .coco_images import check_categories, check_images
from .coco_values import Identifier
from .file_backend import read_bytes
from .findings import REFUSED, Findings

LAYOUT = """a data set in COCO's format is expected to look like this:
    DATA_ROOT/annotations/instances_train2017.json
    DATA_ROOT/annotations/instances_val2017.json
    DATA_ROOT/train2017/*.jpg
    DATA_ROOT/val2017/*.jpg
name another place with --data-root DIR, or another layout with ann_file and data_prefix"""

_FIELDS = {
    'images': ('id', 'file_name', 'height', 'width'),
    'annotations': ('image_id', 'category_id'),
    'categories': ('id', 'name'),
}


@dataclass
class CocoFile:
    """What of an annotation file can be used, as the module says.

    Attributes:
        path: of the file.
        images: with `id`, `file_name`, `height` and `width`, in the order of their ids.
        annotations: with `image_id` and `category_id`, which are ids of images and categories,
            `bbox` (x, y, width, height in pixels), `area`, `iscrowd` and a `segmentation` that
            pycocotools can decode.
        categories: with `id` and `name`.
        findings: what was repaired and left out.
    """

    path: str
    images: list[dict]
    annotations: list[dict]
    categories: list[dict]
    findings: Findings

    def by_image(self) -> Iterator[tuple[dict, list[dict]]]:
        """Yield each image with its annotations, both in the order that they have here."""
        annotations: dict[Identifier, list[dict]] = {image['id']: [] for image in self.images}
        for annotation in self.annotations:
            annotations[annotation['image_id']].append(annotation)
        for image in self.images:
            yield image, annotations[image['id']]

    def say_findings(self) -> None:
        """Log them in one line; a second time, of the same file, the logger leaves it out."""
        summary = self.findings.summary()
        if summary:
            print_log(f'{self.path}: {summary}', logger='current', level=logging.WARNING)


def read_coco_file(path: str, backend_args: dict | None = None) -> CocoFile:
    """Read a COCO annotation file; see the module for what becomes of what is wrong in it.

    Args:
        path: of the file.
        backend_args: of mmengine's storage backend, if the file is not on a local disk.

    Raises:
        UserError: the file is missing, is not JSON, has not COCO's form, or is refused as a whole.
    """
    with garbage_left_alone():
        return accepted(read_content(path, backend_args), path, Findings())


def accepted(content: dict[str, list], path: str, findings: Findings) -> CocoFile:
    """Return what of a file can be used; see `check_content`.

    Raises:
        UserError: it is refused as a whole.
    """
    coco = check_content(content, path, findings)
    refused = coco.findings.first_refused()
    if refused is not None:
        raise UserError(f'{path}: {refused}')
    return coco


def read_content(path: str, backend_args: dict | None = None) -> dict[str, list]:
    """Return what a file holds; its `images`, `annotations` and `categories` are lists.

    Raises:
        UserError: the file is missing, is not JSON, or has not COCO's form.
    """
    content = _read_json(path, backend_args)
    if not isinstance(content, dict):
        raise UserError(f'{path} is not a COCO annotation file: its top level is no object')
    if content.get('annotations') is None:
        content.update(annotations=[])  # COCO's test splits come without
    for section in _FIELDS:
        if not isinstance(content.get(section), list):
            raise UserError(f'{path} is not a COCO annotation file: it has no list {section!r}')
    return content


def check_content(content: dict[str, list], path: str, findings: Findings) -> CocoFile:
    """Return what of a file can be used, though it be refused.

    Args:
        content: as `read_content` returns it; it is left as it is.
        path: of the file.
        findings: all that is found is added here.
    """
    images, entries, categories = (
        _whole_entries(content[section], section, findings) for section in _FIELDS
    )
    images = check_images(images, findings)
    categories = check_categories(categories, findings)
    annotations = check_annotations(entries, images, categories, findings)
    return CocoFile(path, images, annotations, categories, findings)


@contextmanager
def garbage_left_alone() -> Iterator[None]:
    """Keep the collector from looking through millions of lists, none of which is garbage.

    That takes a third of the time in which COCO's file is read.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read_json(path: str, backend_args: dict | None) -> object:
    try:
        return json.loads(read_bytes(path, backend_args))
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f'{LAYOUT}\nannotation file {path} does not exist') from None
    except OSError as error:
        raise UserError(f'annotation file {path} cannot be read: {error}') from None
    except (ValueError, RecursionError) as error:  # of the JSON, of its text
        raise UserError(f'{path} is not JSON ({error}); is the download complete?') from None


def _whole_entries(entries: list, section: str, findings: Findings) -> list[dict]:
    """Return the entries of a section that have the fields without which nothing can be said."""
    fields = _FIELDS[section]
    whole: list[dict] = []
    for number, entry in enumerate(entries):
        missing = [field for field in fields if field not in entry] if type(entry) is dict else None
        if missing == []:
            whole.append(entry)
            continue
        what = 'is no object' if missing is None else f'has no {missing[0]!r}'
        if missing is not None and 'id' in entry:
            what += f'; its id is {entry["id"]!r}'
        findings.add(REFUSED, what, f'entry {number} of {section!r}')
    return whole


def category_labels(coco: CocoFile, classes: Sequence[str]) -> dict[Identifier, int]:
    """Return the label of each category id, the index of its name in `classes`, in that order.

    Categories that `classes` does not name are left out.

    Raises:
        UserError: a class is no category of the file, is two of them, or stands twice.
    """
    if isinstance(classes, str):
        raise UserError(f'classes={classes!r} is one text; write classes=({classes!r},)')
    repeated = [name for name, count in Counter(classes).items() if count > 1]
    if repeated:
        raise UserError(f'the class {repeated[0]!r} stands twice in metainfo=dict(classes=...)')
    names = [category['name'] for category in coco.categories]
    missing = [name for name in classes if name not in names]
    if missing:
        raise UserError(
            f'{coco.path} has no category {", ".join(map(repr, missing[:5]))}'
            f'{" and others" if len(missing) > 5 else ""}; its categories are '
            f'{", ".join(map(repr, names[:20]))}{", ..." if len(names) > 20 else ""}. '
            'Name the ones to train in metainfo=dict(classes=(...)) of each data set, '
            "and set the head's num_classes to their number"
        )
    return {_category_id(coco, name): label for label, name in enumerate(classes)}


def _category_id(coco: CocoFile, name: str) -> Identifier:
    """Return the id of the category of that name, or of two the one that is used.

    Roboflow lists the project's name as a category too, which no annotation is of.
    """
    ids = [category['id'] for category in coco.categories if category['name'] == name]
    if len(ids) == 1:
        return ids[0]
    used = used_categories(coco, name)
    if len(used) > 1:
        raise UserError(
            f'{coco.path}: the categories {used[0]!r} and {used[1]!r} are both named {name!r}, '
            'and both have annotations; give one another name, or the annotations one id'
        )
    return (used or ids)[0]


def used_categories(coco: CocoFile, name: str) -> list[Identifier]:
    """Return the ids of the categories of that name that there are annotations of."""
    present = {annotation['category_id'] for annotation in coco.annotations}
    ids = [category['id'] for category in coco.categories if category['name'] == name]
    return [identifier for identifier in ids if identifier in present]
