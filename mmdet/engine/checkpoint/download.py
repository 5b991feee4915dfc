"""Checkpoints from the web: downloaded once, by one process, checked, and kept.

torch.hub keeps every file under the last part of its address. That is right for a name that holds
the content's hash, `resnet50-0676ba61.pth`: such files are shared with torch.hub. Any other name
may be that of two files, and gets a folder for its address.
"""

import hashlib
import os
import re
import sys
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlparse

import torch
from mmengine.dist import all_gather_object, get_rank
from mmengine.logging import print_log

from mmdet.errors import Remedy, UserError

from .safe_load import read_file

# Eight digits or more are a hash, but not 20210821: many names end in a date.
_HASH = re.compile(r'-(?!(?:19|20)\d{6}\.)([a-f0-9]{8,64})\.')


def cached_file(url: str) -> Path:
    """Return where the file of an address is kept.

    Examples:
        >>> str(cached_file('https://a.org/solo-0676ba61.pth').relative_to(torch.hub.get_dir()))
        'checkpoints/solo-0676ba61.pth'
        >>> str(cached_file('https://a.org/solo.pth').relative_to(torch.hub.get_dir()))
        'checkpoints/dbb17d74/solo.pth'
    """
    name = Path(urlparse(url).path).name or 'index'
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    if not _HASH.search(name):
        folder /= hashlib.sha256(url.encode()).hexdigest()[:8]
    return folder / name


def download(url: str) -> Path:
    """Return the file of an address; if it is not there, one process of each machine fetches it.

    All processes have to call it. What is cut off, or is not what its name says, is not kept.

    Raises:
        UserError: it cannot be downloaded, in all processes; the message says where to put the
            file by hand.
    """
    path = cached_file(url)
    # Machines may share a cache: the first process of all begins.
    is_first = get_rank() == 0
    is_first_here = int(os.environ.get('LOCAL_RANK', 0)) == 0
    for is_my_turn in (is_first, is_first_here and not is_first):
        mine = _fetch(url, path) if is_my_turn and not _is_whole(path) else None
        problem = next(filter(None, all_gather_object(mine)), None)
        if problem:
            raise UserError(
                f'{url} cannot be downloaded ({problem}). Without a network: fetch it elsewhere '
                f'and put it at {path}, or do not start from it, as with',
                # Frozen stages without weights would never learn any.
                Remedy('settings', 'model.backbone.init_cfg=None model.backbone.frozen_stages=-1'),
            )
    return path


def _fetch(url: str, path: Path) -> str | None:
    """Download a file; return why it is not there then, if it is not."""
    print_log(f'Downloading {url} to {path}', logger='current')
    named = _HASH.search(path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent) as folder:
            part = Path(folder, path.name)
            torch.hub.download_url_to_file(
                url, str(part), named and named[1], progress=sys.stderr.isatty()
            )
            if named is None:
                _check(part)
            part.replace(path)
    except (OSError, HTTPException, ValueError, RuntimeError, UserError) as error:
        return str(error)
    return None


def _check(part: Path) -> None:
    """Raise a UserError if a file is no whole checkpoint: neither urllib nor torch.hub notices."""
    try:
        read_file(part, map_location='meta')
    except UserError as error:
        if error.remedy is None:  # else it is whole, and for the user to trust or not
            raise UserError(error.message.removeprefix(f'{part} ')) from None


def _is_whole(path: Path) -> bool:
    """Return whether a file is there and is what its name says."""
    if not path.is_file():
        return False
    named = _HASH.search(path.name)
    if named is None:
        return True
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest().startswith(named[1])
