"""What surrounds the model in training: hooks, checkpoints, optimizer wrappers, start-up."""

from . import checkpoint  # registers the loaders
from .hooks import (
    CheckpointHook,
    CurvesHook,
    DetVisualizationHook,
    LoggerHook,
    PreflightHook,
    RuntimeInfoHook,
)
from .optim_wrapper import AmpOptimWrapper

__all__ = [
    'AmpOptimWrapper',
    'CheckpointHook',
    'CurvesHook',
    'DetVisualizationHook',
    'LoggerHook',
    'PreflightHook',
    'RuntimeInfoHook',
    'checkpoint',
]
