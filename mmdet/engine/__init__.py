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
from .loops import EpochBasedTrainLoop, IterBasedTrainLoop, ValLoop
from .optim_wrapper import AmpOptimWrapper, OptimWrapper

__all__ = [
    'AmpOptimWrapper',
    'CheckpointHook',
    'CurvesHook',
    'DetVisualizationHook',
    'EpochBasedTrainLoop',
    'IterBasedTrainLoop',
    'LoggerHook',
    'OptimWrapper',
    'PreflightHook',
    'RuntimeInfoHook',
    'ValLoop',
    'checkpoint',
]
