"""Checkpoint files: plain when saved, checked when loaded, never executed.

A checkpoint comes from anywhere. It is read with `weights_only=True`, which refuses to run code,
and whatever it was made by, its weights end up under our names in `state_dict`.
"""

from .embedded_config import embedded_config
from .fit import check_fit, load_what_fits
from .layouts import known_layouts, unknown_names
from .plain import from_plain, to_plain
from .read import read_checkpoint
from .resume import checkpoint_to_resume
from .schemes import load_from_http, load_from_local, load_from_openmmlab, load_from_torchvision

__all__ = [
    'check_fit',
    'checkpoint_to_resume',
    'embedded_config',
    'from_plain',
    'known_layouts',
    'load_from_http',
    'load_from_local',
    'load_from_openmmlab',
    'load_from_torchvision',
    'load_what_fits',
    'read_checkpoint',
    'to_plain',
    'unknown_names',
]
