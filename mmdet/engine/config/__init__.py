"""Configs: read, changed by the command line, and checked before anything is built from them."""

from .check import check_config, check_model, require_stage
from .load import (
    add_common_arguments,
    add_config_arguments,
    add_launcher_arguments,
    load_config,
    read_config,
)
from .mixed_precision import add_amp_argument, use_mixed_precision, words_of
from .parts import (
    datasets_of,
    datasets_with_steps,
    is_a,
    metainfo_of,
    metrics_of,
    pipeline_of_tests,
)
from .shipped import find_config
from .tta import with_tta

__all__ = [
    'add_amp_argument',
    'add_common_arguments',
    'add_config_arguments',
    'add_launcher_arguments',
    'check_config',
    'check_model',
    'datasets_of',
    'datasets_with_steps',
    'find_config',
    'is_a',
    'load_config',
    'metainfo_of',
    'metrics_of',
    'pipeline_of_tests',
    'read_config',
    'require_stage',
    'use_mixed_precision',
    'with_tta',
    'words_of',
]
