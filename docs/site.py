"""What the site does with links that lead out of docs/, which hold in the repository only.

mkdocs calls the function by its name.
"""

import re


def on_page_markdown(markdown: str, **_: object) -> str:
    """Keep the text of such links."""
    return re.sub(r'\[([^\]]+)\]\(\.\./[^)]*\)', r'\1', markdown)
