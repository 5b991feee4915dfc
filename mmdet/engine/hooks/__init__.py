"""Hooks."""

from .checkpoint_hook import CheckpointHook
from .curves_hook import CurvesHook
from .ema_hook import EMAHook
from .logger_hook import LoggerHook
from .non_finite_hook import NonFiniteHook
from .pipeline_switch_hook import PipelineSwitchHook
from .preflight_hook import PreflightHook
from .runtime_info_hook import RuntimeInfoHook
from .visualization_hook import DetVisualizationHook

__all__ = [
    'CheckpointHook',
    'CurvesHook',
    'DetVisualizationHook',
    'EMAHook',
    'LoggerHook',
    'NonFiniteHook',
    'PipelineSwitchHook',
    'PreflightHook',
    'RuntimeInfoHook',
]
