"""Backbones."""

from .resnet import ResNet
from .timm_backbone import TIMMBackbone

__all__ = ['ResNet', 'TIMMBackbone']
