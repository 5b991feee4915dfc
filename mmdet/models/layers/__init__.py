"""Small layers that the heads share."""

from .conv import conv_tower
from .coordinates import with_coordinates

__all__ = ['conv_tower', 'with_coordinates']
