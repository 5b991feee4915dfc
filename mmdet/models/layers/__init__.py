"""Small layers that the heads and backbones share."""

from .conv import conv_block, conv_tower, of_levels
from .conv3x3 import Conv3x3, use_conv3x3
from .coordinates import with_coordinates
from .deform_conv import DeformConv2d, ModulatedDeformConv2d, reset_offsets
from .drop_block import DropBlock
from .ema import ExpMomentumEMA
from .norm_folding import conv_norm

__all__ = [
    'Conv3x3',
    'DeformConv2d',
    'DropBlock',
    'ExpMomentumEMA',
    'ModulatedDeformConv2d',
    'conv_block',
    'conv_norm',
    'conv_tower',
    'of_levels',
    'reset_offsets',
    'use_conv3x3',
    'with_coordinates',
]
