"""Writing Parquet: `annotations/PART/*.parquet`, and a folder of images a part."""

from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets.coco_annotations import PLACE
from mmdet.datasets.findings import LEFT_OUT, Findings

from .collection import Collection, Picture
from .out_folder import put_image
from .to_coco import with_own_ids

_IMAGE = {'id', 'file_name', 'height', 'width'}
_ANNOTATION = {
    *('id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd', 'ignore', 'segmentation'),
    PLACE,
}


def write_parquet_parts(collection: Collection, folder: Path, *, link: bool) -> Findings:
    """Write a data set; masks, boxes, areas, crowds and the ids of images are kept.

    Args:
        collection: the data set.
        folder: an empty one.
        link: make hard links to the images.

    Returns:
        What was left out.

    Raises:
        UserError: pyarrow is not installed, or see `write_parquet`.
        OSError: the disk is full, or cannot be written.
    """
    from .write_parquet import write_parquet  # with pyarrow, which is an extra

    findings = Findings()
    ids = [category['id'] for category in collection.categories]
    for part, pictures in collection.parts.items():
        for picture in pictures:
            put_image(picture.path, folder / part / picture.image['file_name'], link=link)
            _note_fields([picture.image], _IMAGE, 'images', picture, findings)
            _note_fields(picture.annotations, _ANNOTATION, 'annotations', picture, findings)
        images = with_own_ids([picture.image for picture in pictures])
        annotations = (
            [{**each, 'category_id': ids[each['category_id']]} for each in picture.annotations]
            for picture in pictures
        )
        rows = zip(images, annotations, strict=True)
        write_parquet(folder / 'annotations' / part, collection.categories, rows)
    return findings


def _note_fields(
    entries: Sequence[dict], known: set[str], kind: str, picture: Picture, findings: Findings
) -> None:
    for entry in entries:
        others = entry.keys() - known
        if others:
            where = f'{picture.image["file_name"]}: {", ".join(sorted(map(str, others)))}'
            findings.add(LEFT_OUT, f'fields of {kind} that Parquet has no column for', where)
