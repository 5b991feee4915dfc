"""What surrounds the model in training: hooks, checkpoints, optimizer wrappers, start-up."""

from . import checkpoint  # registers the loaders
from .hooks import (
    CheckpointHook,
    CurvesHook,
    DetVisualizationHook,
    EMAHook,
    LoggerHook,
    NonFiniteHook,
    PipelineSwitchHook,
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
    'EMAHook',
    'EpochBasedTrainLoop',
    'IterBasedTrainLoop',
    'LoggerHook',
    'NonFiniteHook',
    'OptimWrapper',
    'PipelineSwitchHook',
    'PreflightHook',
    'RuntimeInfoHook',
    'ValLoop',
    'checkpoint',
]
