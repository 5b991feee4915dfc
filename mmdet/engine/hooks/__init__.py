"""Hooks."""

from .check_invalid_loss_hook import CheckInvalidLossHook
from .checkpoint_hook import CheckpointHook
from .curves_hook import CurvesHook
from .ema_hook import EMAHook
from .logger_hook import LoggerHook
from .memory_profiler_hook import MemoryProfilerHook
from .non_finite_hook import NonFiniteHook
from .num_class_check_hook import NumClassCheckHook
from .pipeline_switch_hook import PipelineSwitchHook
from .preflight_hook import PreflightHook
from .runtime_info_hook import RuntimeInfoHook
from .visualization_hook import DetVisualizationHook

__all__ = [
    'CheckInvalidLossHook',
    'CheckpointHook',
    'CurvesHook',
    'DetVisualizationHook',
    'EMAHook',
    'LoggerHook',
    'MemoryProfilerHook',
    'NonFiniteHook',
    'NumClassCheckHook',
    'PipelineSwitchHook',
    'PreflightHook',
    'RuntimeInfoHook',
]
