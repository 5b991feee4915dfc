"""Hooks."""

from .checkpoint_hook import CheckpointHook
from .curves_hook import CurvesHook
from .preflight_hook import PreflightHook
from .visualization_hook import DetVisualizationHook

__all__ = ['CheckpointHook', 'CurvesHook', 'DetVisualizationHook', 'PreflightHook']
