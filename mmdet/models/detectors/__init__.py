"""Detectors."""

from .solo import SOLO
from .tta import DetTTAModel

__all__ = ['SOLO', 'DetTTAModel']
