"""Hooks."""

from .checkpoint_hook import CheckpointHook
from .curves_hook import CurvesHook
from .logger_hook import LoggerHook
from .preflight_hook import PreflightHook
from .runtime_info_hook import RuntimeInfoHook
from .visualization_hook import DetVisualizationHook

__all__ = [
    'CheckpointHook',
    'CurvesHook',
    'DetVisualizationHook',
    'LoggerHook',
    'PreflightHook',
    'RuntimeInfoHook',
]
