"""What a test has found as one page: what limits the model, its figures, curves and images.

`collect` looks at the images of a test one after the other, and puts what it sees into figures as
JSON holds them; from these alone follow what limits the model (`limits.py`) and the page.
"""

from .collect import MADE_BY, Report, Run, collect
from .examples import Example, examples, paths_of
from .grid import read_parts
from .page import page_of

__all__ = [
    'MADE_BY',
    'Example',
    'Report',
    'Run',
    'collect',
    'examples',
    'page_of',
    'paths_of',
    'read_parts',
]
