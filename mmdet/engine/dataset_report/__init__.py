"""What is in the data sets of a config, what is amiss with them, and what SOLO can learn of them.

`collect` reads the parts one after the other, each into figures as JSON holds them (`numbers.py`,
`grid.py`, `pictures.py`); from these alone follow what is amiss (`amiss.py`) and the page.
"""

from .collect import MADE_BY, Report, collect
from .page import page_of

__all__ = ['MADE_BY', 'Report', 'collect', 'page_of']
