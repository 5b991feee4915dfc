"""Detectors."""

from .solo import SOLO

__all__ = ['SOLO']
