"""Helpers for code that uses the package without a runner."""

from .registration import register_all_modules
from .typing_utils import ConfigType

__all__ = ['ConfigType', 'register_all_modules']
