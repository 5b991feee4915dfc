"""Data sets, and what turns them into batches."""

from .coco import CocoDataset
from .dataset_wrappers import ConcatDataset, MultiImageMixDataset, RepeatDataset
from .formats import CityscapesDataset, LabelmeDataset, VOCSegDataset, YOLOSegDataset
from .samplers import AspectRatioBatchSampler
from .shapes_dataset import ShapesDataset

__all__ = [
    'AspectRatioBatchSampler',
    'CityscapesDataset',
    'CocoDataset',
    'ConcatDataset',
    'LabelmeDataset',
    'MultiImageMixDataset',
    'RepeatDataset',
    'ShapesDataset',
    'VOCSegDataset',
    'YOLOSegDataset',
]
