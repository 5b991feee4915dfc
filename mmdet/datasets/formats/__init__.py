"""Data sets in other formats than COCO's: each a thin reader, behind which all is shared."""

from .cityscapes import CityscapesDataset
from .labelme import LabelmeDataset
from .lvis import LVISDataset, LVISV05Dataset, LVISV1Dataset
from .parquet import ParquetDataset
from .sa1b import SA1BDataset
from .voc import VOCSegDataset
from .yolo import YOLOSegDataset

__all__ = [
    'CityscapesDataset',
    'LVISDataset',
    'LVISV05Dataset',
    'LVISV1Dataset',
    'LabelmeDataset',
    'ParquetDataset',
    'SA1BDataset',
    'VOCSegDataset',
    'YOLOSegDataset',
]
