"""Data sets in other formats than COCO's: each a thin reader, behind which all is shared."""

from .cityscapes import CityscapesDataset
from .labelme import LabelmeDataset
from .voc import VOCSegDataset
from .yolo import YOLOSegDataset

__all__ = ['CityscapesDataset', 'LabelmeDataset', 'VOCSegDataset', 'YOLOSegDataset']
