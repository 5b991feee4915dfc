"""Data sets in Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmdet.registry import DATASETS

from .on_demand import OnDemandDataset

if TYPE_CHECKING:
    from .parquet_shards import ParquetShards


@DATASETS.register_module()
class ParquetDataset(OnDemandDataset):
    """Images and instances of a folder of Parquet files, as `write_parquet` writes them.

    `ann_file` is that folder; the classes are those of its categories unless `metainfo` names some.
    `filter_cfg` reads the columns it needs at the start, and leaves out the same images as with
    `CocoDataset`. It needs pyarrow, the extra `parquet`. All else is as in `OnDemandDataset`.

    Raises:
        UserError: see `OnDemandDataset`; pyarrow is not installed, or a file is missing, broken or
            of another layout.
    """

    ANN_FILE = 'annotation folder'
    LAYOUT = 'annotations/train/*.parquet and train/, as convert-data writes them'

    def open_store(self) -> 'ParquetShards':
        """Look at what each file says of itself."""
        from .parquet_shards import ParquetShards  # with pyarrow, which is an extra

        self._shards = ParquetShards(self.ann_file or '')
        return self._shards

    def _shorter_sides(self) -> np.ndarray:
        return self._shards.shorter_sides()

    def _have_objects(self) -> np.ndarray:
        return self._shards.have_objects(list(self._labels))

    @classmethod
    def find_parts(cls, folder: Path) -> dict[str, dict]:
        """Return the parts that `mmdet-solo convert-data` wrote into a folder."""
        return {
            part: dict(ann_file=f'annotations/{part}', data_prefix=dict(img=part))
            for part in ('train', 'val', 'test')
            if any((folder / 'annotations' / part).glob('*.parquet')) and (folder / part).is_dir()
        }
