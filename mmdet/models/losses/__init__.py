"""Losses."""

from .dice import DiceLoss
from .focal import FocalLoss

__all__ = ['DiceLoss', 'FocalLoss']
