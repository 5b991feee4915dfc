"""Backbones."""

from .resnet import ResNet, ResNetV1d
from .timm_backbone import TIMMBackbone

__all__ = ['ResNet', 'ResNetV1d', 'TIMMBackbone']
