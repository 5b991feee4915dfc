"""The pages of reports: what they are put together of, how they look, where they may be written.

A page is one file of HTML that needs nothing else: no network, no script.
"""

from .frame import Section, mark_of, page
from .target import check_target

__all__ = ['Section', 'check_target', 'mark_of', 'page']
