"""Which files a request may name: those that visitors have uploaded.

gradio looks after this itself where it starts its own server, but not where another has it mounted,
and it fetches addresses of other machines.
"""

import json
from collections.abc import Iterator
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

_UPLOAD = '/gradio_api/upload'


async def names_only_uploads(request: 'Request', folder: str) -> bool:
    """Return whether each file that a request names lies in a folder.

    Args:
        request: as gradio will see it.
        folder: where uploaded files are kept.
    """
    if request.method != 'POST' or request.url.path == _UPLOAD:
        return True
    try:
        content = json.loads(await request.body())
    except ValueError:  # no JSON, in which gradio's requests are
        return True
    return all(_is_in(path, folder) for path in _paths(content))


def _paths(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        if isinstance(content.get('path'), str):  # gradio's FileData
            yield content['path']
        content = list(content.values())
    if isinstance(content, list):
        for each in content:
            yield from _paths(each)


def _is_in(path: str, folder: str) -> bool:
    # An address is a path relative to the working directory, if any.
    return '\0' not in path and Path(realpath(path)).is_relative_to(realpath(folder))
