"""Writing a data set as Parquet, image by image."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from mmdet.datasets.formats.arrow import pa, pq
from mmdet.datasets.formats.parquet_layout import as_row, layout_for
from mmdet.errors import UserError

from .out_folder import whole_folder

# To read a row its row group is read: 1 ms with the 7 annotations an image that COCO has.
GROUP_IMAGES = 64
GROUP_ANNOTATIONS = 512
SHARD_GROUPS = 16


def write_parquet(
    folder: Path, categories: Sequence[dict], images: Iterable[tuple[dict, Sequence[dict]]]
) -> int:
    """Write a data set into a folder that `ParquetDataset` reads.

    The folder is there whole, or not at all. No more than a row group is held,
    64 images or 512 annotations. Fields that COCO's form does not need are not written, and neither
    are the ids of annotations.

    Args:
        folder: to be made.
        categories: with `id` and `name`.
        images: each with its annotations, as `CocoFile.by_image` and `OnDemandDataset.by_image`
            yield them.

    Returns:
        The number of images.

    Raises:
        UserError: the folder is there already, there is no image, or some ids are numbers and
            others texts.
        OSError: the disk is full, or cannot be written.
    """
    with whole_folder(folder) as part:
        return _write(part, categories, images)


def _write(
    folder: Path, categories: Sequence[dict], images: Iterable[tuple[dict, Sequence[dict]]]
) -> int:
    number = 0
    with _Shards(folder, categories) as shards:
        for image, annotations in images:
            shards.add(image, annotations)
            number += 1
    if not number:
        raise UserError('there is no image to write')
    return number


class _Shards:
    """The files of a folder, one after the other."""

    def __init__(self, folder: Path, categories: Sequence[dict]) -> None:
        self._folder = folder
        self._categories = categories
        self._schema: pa.Schema | None = None
        self._rows: list[dict] = []
        self._num_annotations = 0
        self._paths: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._num_groups = 0

    def add(self, image: dict, annotations: Sequence[dict]) -> None:
        """Add an image; a row group that is full is written."""
        self._schema = self._schema or layout_for(image, self._categories)
        full = self._num_annotations + len(annotations) > GROUP_ANNOTATIONS
        if self._rows and (full or len(self._rows) == GROUP_IMAGES):
            self._write_group()
        self._rows.append(as_row(image, annotations))
        self._num_annotations += len(annotations)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the rest, and name each file with the number of all, unless something failed."""
        if kind is not None:
            if self._writer is not None:
                with suppress(OSError):  # what failed before is what is said
                    self._writer.close()
            return
        if self._rows:
            self._write_group()
        if self._writer is not None:
            self._writer.close()
        for number, path in enumerate(self._paths):
            path.rename(path.with_name(f'{number:05}-of-{len(self._paths):05}.parquet'))

    def _write_group(self) -> None:
        assert self._schema is not None
        try:
            table = pa.Table.from_pylist(self._rows, schema=self._schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            names = f'{self._rows[0]["file_name"]} to {self._rows[-1]["file_name"]}'
            raise UserError(
                f'the images {names} do not fit into the columns of the first: {error}'
            ) from None
        if self._writer is None or self._num_groups == SHARD_GROUPS:
            if self._writer is not None:
                self._writer.close()
            self._paths.append(self._folder / f'{len(self._paths)}.part')
            self._writer = pq.ParquetWriter(
                self._paths[-1],
                self._schema,
                compression='zstd',
                use_dictionary=False,  # a page of it for each of so few rows
                write_statistics=False,
            )
            self._num_groups = 0
        self._writer.write_table(table, row_group_size=len(self._rows))
        self._num_groups += 1
        self._rows.clear()
        self._num_annotations = 0
