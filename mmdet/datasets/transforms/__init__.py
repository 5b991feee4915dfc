"""The steps of a data pipeline, with mmdetection 3.x's names and arguments."""

from .crop import RandomCrop
from .formatting import PackDetInputs
from .geometry import RandomChoiceResize, RandomFlip, RandomResize, Resize
from .loading import FilterAnnotations, LoadAnnotations, LoadImageFromFile

__all__ = [
    'FilterAnnotations',
    'LoadAnnotations',
    'LoadImageFromFile',
    'PackDetInputs',
    'RandomChoiceResize',
    'RandomCrop',
    'RandomFlip',
    'RandomResize',
    'Resize',
]
