"""Data sets in other formats than COCO's: each a thin reader, behind which all is shared."""

from .parquet import ParquetDataset
from .sa1b import SA1BDataset
from .yolo import YOLOSegDataset

__all__ = ['ParquetDataset', 'SA1BDataset', 'YOLOSegDataset']
