"""Data sets, and what turns them into batches."""

from .coco import CocoDataset
from .dataset_wrappers import (
    ClassBalancedDataset,
    ConcatDataset,
    MultiImageMixDataset,
    RepeatDataset,
)
from .formats import (
    CityscapesDataset,
    LabelmeDataset,
    LVISDataset,
    LVISV05Dataset,
    LVISV1Dataset,
    ParquetDataset,
    SA1BDataset,
    VOCSegDataset,
    YOLOSegDataset,
)
from .samplers import (
    AspectRatioBatchSampler,
    ClassAwareSampler,
    GroupMultiSourceSampler,
    MultiSourceSampler,
)
from .shapes_dataset import ShapesDataset

__all__ = [
    'AspectRatioBatchSampler',
    'CityscapesDataset',
    'ClassAwareSampler',
    'ClassBalancedDataset',
    'CocoDataset',
    'ConcatDataset',
    'GroupMultiSourceSampler',
    'LVISDataset',
    'LVISV05Dataset',
    'LVISV1Dataset',
    'LabelmeDataset',
    'MultiImageMixDataset',
    'MultiSourceSampler',
    'ParquetDataset',
    'RepeatDataset',
    'SA1BDataset',
    'ShapesDataset',
    'VOCSegDataset',
    'YOLOSegDataset',
]
