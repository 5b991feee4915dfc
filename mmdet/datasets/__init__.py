"""Data sets, and what turns them into batches."""

from .coco import CocoDataset
from .dataset_wrappers import ConcatDataset, MultiImageMixDataset, RepeatDataset
from .formats import ParquetDataset, SA1BDataset, YOLOSegDataset
from .samplers import AspectRatioBatchSampler
from .shapes_dataset import ShapesDataset

__all__ = [
    'AspectRatioBatchSampler',
    'CocoDataset',
    'ConcatDataset',
    'MultiImageMixDataset',
    'ParquetDataset',
    'RepeatDataset',
    'SA1BDataset',
    'ShapesDataset',
    'YOLOSegDataset',
]
