"""The pages of reports: what they are put together of, how they look.

A page is one file of HTML that needs nothing else: no network, no script.
"""

from .frame import Section, mark_of, page, told_by

__all__ = ['Section', 'mark_of', 'page', 'told_by']
