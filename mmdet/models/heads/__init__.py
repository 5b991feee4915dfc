"""SOLO's heads: one shared flow, and one way each to draw the mask of a cell."""

from .base_solo_head import BaseSOLOHead
from .decoupled_solo_head import DecoupledSOLOHead, DecoupledSOLOLightHead
from .mask_feature_head import MaskFeatModule
from .solo_head import SOLOHead
from .solov2_head import SOLOV2Head

__all__ = [
    'BaseSOLOHead',
    'DecoupledSOLOHead',
    'DecoupledSOLOLightHead',
    'MaskFeatModule',
    'SOLOHead',
    'SOLOV2Head',
]
