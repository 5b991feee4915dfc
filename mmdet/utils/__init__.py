"""Helpers for code that uses the package without a runner."""

from .registration import register_all_modules

__all__ = ['register_all_modules']
