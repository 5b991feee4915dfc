"""Data sets in COCO's format, and what turns them into batches."""

from .coco import CocoDataset
from .samplers import AspectRatioBatchSampler
from .shapes_dataset import ShapesDataset

__all__ = ['AspectRatioBatchSampler', 'CocoDataset', 'ShapesDataset']
