"""Data sets in other formats than COCO's: each a thin reader, behind which all is shared."""

from .yolo import YOLOSegDataset

__all__ = ['YOLOSegDataset']
