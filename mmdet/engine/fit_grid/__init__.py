"""Grids and input sizes that suit a data set: from its objects to settings, and what they cost."""

from .objects import Objects, collect_objects
from .proposal import GridSettings, propose

__all__ = ['GridSettings', 'Objects', 'collect_objects', 'propose']
