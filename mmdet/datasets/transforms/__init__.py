"""The steps of a data pipeline, with mmdetection 3.x's names and arguments."""

from .affine import RandomAffine
from .albu import Albu
from .auto_augment import AutoAugment, RandAugment
from .center_crop_pad import RandomCenterCropPad
from .copy_paste import CopyPaste
from .crop import RandomCrop
from .erasing import CutOut, RandomErasing
from .expand import Expand, RandomShift
from .formatting import PackDetInputs
from .geometry import FixShapeResize, Pad, RandomChoiceResize, RandomFlip, RandomResize, Resize
from .level_colors import (
    AutoContrast,
    Brightness,
    Color,
    ColorTransform,
    Contrast,
    Equalize,
    Invert,
    Posterize,
    Sharpness,
    Solarize,
    SolarizeAdd,
)
from .level_geometry import GeomTransform, Rotate, ShearX, ShearY, TranslateX, TranslateY
from .loading import (
    FilterAnnotations,
    InferencerLoader,
    LoadAnnotations,
    LoadImageFromFile,
    LoadImageFromNDArray,
)
from .min_iou_crop import MinIoURandomCrop
from .mixup import MixUp
from .mosaic import Mosaic
from .photometric import PhotoMetricDistortion, YOLOXHSVRandomAug
from .torchvision_transforms import TorchVision

__all__ = [
    'Albu',
    'AutoAugment',
    'AutoContrast',
    'Brightness',
    'Color',
    'ColorTransform',
    'Contrast',
    'CopyPaste',
    'CutOut',
    'Equalize',
    'Expand',
    'FilterAnnotations',
    'FixShapeResize',
    'GeomTransform',
    'InferencerLoader',
    'Invert',
    'LoadAnnotations',
    'LoadImageFromFile',
    'LoadImageFromNDArray',
    'MinIoURandomCrop',
    'MixUp',
    'Mosaic',
    'PackDetInputs',
    'Pad',
    'PhotoMetricDistortion',
    'Posterize',
    'RandAugment',
    'RandomAffine',
    'RandomCenterCropPad',
    'RandomChoiceResize',
    'RandomCrop',
    'RandomErasing',
    'RandomFlip',
    'RandomResize',
    'RandomShift',
    'Resize',
    'Rotate',
    'Sharpness',
    'ShearX',
    'ShearY',
    'Solarize',
    'SolarizeAdd',
    'TorchVision',
    'TranslateX',
    'TranslateY',
    'YOLOXHSVRandomAug',
]
