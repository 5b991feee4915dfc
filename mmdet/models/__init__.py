"""The SOLO family: backbones, necks, heads, losses and the detector that joins them."""

from .backbones import ResNet, ResNetV1d, SwinTransformer, TIMMBackbone
from .data_preprocessor import BatchFixedSizePad, DetDataPreprocessor
from .detectors import SOLO, DetTTAModel
from .heads import (
    BaseSOLOHead,
    DecoupledSOLOHead,
    DecoupledSOLOLightHead,
    SOLOHead,
    SOLOV2Head,
)
from .layers import ExpMomentumEMA
from .losses import DiceLoss, FocalLoss
from .necks import FPN, PAFPN

__all__ = [
    'FPN',
    'PAFPN',
    'SOLO',
    'BaseSOLOHead',
    'BatchFixedSizePad',
    'DecoupledSOLOHead',
    'DecoupledSOLOLightHead',
    'DetDataPreprocessor',
    'DetTTAModel',
    'DiceLoss',
    'ExpMomentumEMA',
    'FocalLoss',
    'ResNet',
    'ResNetV1d',
    'SOLOHead',
    'SOLOV2Head',
    'SwinTransformer',
    'TIMMBackbone',
]
