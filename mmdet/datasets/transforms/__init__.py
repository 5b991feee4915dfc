"""The steps of a data pipeline, with mmdetection 3.x's names and arguments."""

from .copy_paste import CopyPaste
from .crop import RandomCrop
from .formatting import PackDetInputs
from .geometry import Pad, RandomChoiceResize, RandomFlip, RandomResize, Resize
from .loading import (
    FilterAnnotations,
    InferencerLoader,
    LoadAnnotations,
    LoadImageFromFile,
    LoadImageFromNDArray,
)

__all__ = [
    'CopyPaste',
    'FilterAnnotations',
    'InferencerLoader',
    'LoadAnnotations',
    'LoadImageFromFile',
    'LoadImageFromNDArray',
    'PackDetInputs',
    'Pad',
    'RandomChoiceResize',
    'RandomCrop',
    'RandomFlip',
    'RandomResize',
    'Resize',
]
