"""Configs: read, changed by the command line, and checked before anything is built from them."""

from .check import check_config
from .load import add_common_arguments, load_config

__all__ = ['add_common_arguments', 'check_config', 'load_config']
