"""Reading a folder of Parquet files row by row.

A file is opened for each row that is read, which takes 0.2 ms with files of 16 row groups, and is
closed again: what is known of a row group, 1 kB a column, is nothing to keep of a million images.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from mmdet.datasets.coco_images import check_categories
from mmdet.datasets.coco_values import Identifier
from mmdet.datasets.findings import Findings
from mmdet.datasets.image_file import UnusableImageError
from mmdet.errors import UserError

from .arrow import pa, pc, pq
from .on_demand import Store
from .parquet_layout import categories_of, from_row, why_not_this_layout

_SUFFIX = '.parquet'
_OF = re.compile(r'-of-(\d+)\.parquet$')
_ELEMENT = 'annotations.list.element.'


class ParquetShards(Store):
    """Files in the layout of `parquet_layout.py`.

    Args:
        folder: with files `*.parquet`, which are read in the order of their names.

    Raises:
        UserError: there is no such folder, no file or not all of them in it, or a file is broken or
            of another layout than the first.
    """

    def __init__(self, folder: str) -> None:
        if not os.path.isdir(folder):
            raise UserError(f'{folder or "ann_file"} is no folder of Parquet files: name one')
        names = sorted(each for each in os.listdir(folder) if each.endswith(_SUFFIX))
        if not names:
            raise UserError(f'{folder} has no file *{_SUFFIX}')
        _refuse_missing_shards(folder, names)
        self._paths = [os.path.join(folder, name) for name in names]
        self.categories: list[dict] = []
        rows: list[int] = []
        first: pa.Schema | None = None
        for path in self._paths:
            with _opened(path) as file:
                schema = file.schema_arrow
                why = why_not_this_layout(schema)
                if why is not None:
                    raise UserError(f'{path} is not as write_parquet writes it: {why}')
                if first is None:
                    first = schema
                    self.categories = _categories(schema, path)
                elif not schema.equals(first, check_metadata=True):
                    raise UserError(
                        f'{path} has other types or categories than {self._paths[0]}: the files of '
                        'a folder are one data set'
                    )
                rows.append(file.metadata.num_rows)
        self._ends = np.cumsum(rows)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def place(self, position: int) -> str:
        """Return the path of the file, and the number of the row in it, from 0."""
        path, row = self._find(position)
        return f'{path}, row {row}'

    def _find(self, position: int) -> tuple[str, int]:
        number = int(np.searchsorted(self._ends, position, side='right'))
        before = int(self._ends[number - 1]) if number else 0
        return self._paths[number], position - before

    def read(self, position: int) -> tuple[dict, list[dict]]:
        """Read the row group that a row is in, and return the row."""
        path, row = self._find(position)
        where = self.place(position)
        try:
            with _opened(path) as file:
                group = 0
                while row >= (size := file.metadata.row_group(group).num_rows):
                    row -= size
                    group += 1
                rows = file.read_row_group(group, use_threads=False)
                (found,) = rows.slice(row, 1).to_pylist()
        except UserError as error:
            raise UnusableImageError(f'{where}: {error}') from None
        return from_row(found, where)

    def shorter_sides(self) -> np.ndarray:
        """Return the shorter side of each image in pixels, (N,)."""
        sides = (
            np.minimum(table['height'].to_numpy(), table['width'].to_numpy())
            for table in self._columns(['height', 'width'])
        )
        return np.concatenate([*sides])

    def have_objects(self, category_ids: Sequence[Identifier]) -> np.ndarray:
        """Return of each image whether it has an object to learn, (N,) bool.

        Args:
            category_ids: of the categories that are learned.
        """
        names = [f'{_ELEMENT}{name}' for name in ('category_id', 'iscrowd', 'ignore')]
        return np.concatenate([_have_objects(each, category_ids) for each in self._columns(names)])

    def _columns(self, names: Sequence[str]) -> Iterator[pa.Table]:
        for path in self._paths:
            with _opened(path) as file:
                yield file.read(columns=names, use_threads=False)


@contextmanager
def _opened(path: str) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        said = ' '.join(str(error).split())
        raise UserError(f'{path} cannot be read ({said}); was it copied whole?') from None


def _refuse_missing_shards(folder: str, names: Sequence[str]) -> None:
    """Count the files of which each says how many there are."""
    told = {int(found[1]) for name in names if (found := _OF.search(name))}
    if told and told != {len(names)}:
        raise UserError(
            f'{folder} has {len(names)} files *{_SUFFIX}, and by the name of {names[0]} it should '
            f'have {max(told)}: were they copied all, and no others?'
        )


def _categories(schema: pa.Schema, path: str) -> list[dict]:
    try:
        given = categories_of(schema)
    except ValueError:
        given = None
    is_whole = isinstance(given, list) and all(
        isinstance(each, dict) and {'id', 'name'} <= each.keys() for each in given
    )
    if not is_whole:
        raise UserError(f"{path}: the 'categories' in its metadata are no list of ids and names")
    findings = Findings()
    categories = check_categories(given, findings)
    refused = findings.first_refused()
    if refused is not None:
        raise UserError(f'{path}: {refused}')
    return categories


def _have_objects(table: pa.Table, category_ids: Sequence[Identifier]) -> np.ndarray:
    lists = table['annotations'].combine_chunks()
    category, crowd, ignore = lists.flatten().flatten()
    learned = pc.is_in(category, value_set=pa.array(category_ids, category.type))
    learned = pc.and_not(pc.and_not(learned, crowd.fill_null(False)), ignore.fill_null(False))
    ends = np.cumsum(lists.value_lengths().fill_null(0).to_numpy())
    before = np.concatenate([[0], np.cumsum(learned.to_numpy(zero_copy_only=False))])
    return np.diff(before[np.concatenate([[0], ends])]) > 0
