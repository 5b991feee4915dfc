"""Small layers that the heads and backbones share."""

from .conv import conv_block, conv_tower
from .coordinates import with_coordinates
from .deform_conv import DeformConv2d, ModulatedDeformConv2d, reset_offsets

__all__ = [
    'DeformConv2d',
    'ModulatedDeformConv2d',
    'conv_block',
    'conv_tower',
    'reset_offsets',
    'with_coordinates',
]
