"""What surrounds the model in training: hooks, checkpoints, optimizer wrappers, start-up."""

from . import checkpoint  # registers the loaders
from .hooks import (
    CheckInvalidLossHook,
    CheckpointHook,
    CurvesHook,
    DetVisualizationHook,
    EMAHook,
    LoggerHook,
    MemoryProfilerHook,
    NonFiniteHook,
    NumClassCheckHook,
    PipelineSwitchHook,
    PreflightHook,
    RuntimeInfoHook,
)
from .layer_decay import LearningRateDecayOptimizerConstructor
from .loops import EpochBasedTrainLoop, IterBasedTrainLoop, ValLoop
from .optim_wrapper import AmpOptimWrapper, OptimWrapper

__all__ = [
    'AmpOptimWrapper',
    'CheckInvalidLossHook',
    'CheckpointHook',
    'CurvesHook',
    'DetVisualizationHook',
    'EMAHook',
    'EpochBasedTrainLoop',
    'IterBasedTrainLoop',
    'LearningRateDecayOptimizerConstructor',
    'LoggerHook',
    'MemoryProfilerHook',
    'NonFiniteHook',
    'NumClassCheckHook',
    'OptimWrapper',
    'PipelineSwitchHook',
    'PreflightHook',
    'RuntimeInfoHook',
    'ValLoop',
    'checkpoint',
]
