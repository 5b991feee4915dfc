"""Backbones."""

from .resnet import ResNet, ResNetV1d
from .swin_transformer import SwinTransformer
from .timm_backbone import TIMMBackbone

__all__ = ['ResNet', 'ResNetV1d', 'SwinTransformer', 'TIMMBackbone']
