"""What `train.sh` does once the environment is there: choose, train, draw, and say what is left."""

from .choice import Choice, Machine, choose, folder_of, this_machine
from .run import train_and_draw

__all__ = [
    'Choice',
    'Machine',
    'choose',
    'folder_of',
    'this_machine',
    'train_and_draw',
]
