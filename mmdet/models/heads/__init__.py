"""SOLO's heads: one shared flow, and one way each to draw the mask of a cell."""

from .base_solo_head import BaseSOLOHead
from .solo_head import SOLOHead

__all__ = ['BaseSOLOHead', 'SOLOHead']
