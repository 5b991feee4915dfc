"""Run by any interpreter: prints, as JSON, whose `mmdet` its environment has; imports little."""

from __future__ import annotations  # whatever Python is there

import importlib.metadata
import importlib.util
import json
import os
import sys
from urllib.parse import unquote, urlparse

HERE = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))


def main() -> None:
    """Print `state` (ours, foreign or none), and where it, the interpreter and all the rest lie."""
    sys.path = [path for path in sys.path if path and os.path.realpath(path) != HERE]
    state, place = look()
    prefix = os.path.realpath(sys.prefix)
    print(json.dumps(dict(state=state, place=place, interpreter=sys.executable, prefix=prefix)))


def look() -> tuple[str, str]:
    """Return the state and where what it speaks of lies."""
    other = distribution('mmdet')
    if other:
        return 'foreign', os.path.realpath(str(other.locate_file('')))
    ours = distribution('mmdet-solo')
    spec = importlib.util.find_spec('mmdet')
    if not ours or not spec or not spec.origin:
        return 'none', ''
    found = os.path.realpath(os.path.join(spec.origin, '../..'))
    source = json.loads(ours.read_text('direct_url.json') or '{}')
    if found == REPO or not source.get('dir_info', {}).get('editable'):
        home = os.path.realpath(str(ours.locate_file('')))
        return ('ours' if found in (REPO, home) else 'foreign'), found
    # Another checkout's, whose code would run instead of this one's; or PYTHONPATH hides it.
    home = os.path.realpath(unquote(urlparse(source['url']).path))
    return ('none' if found == home else 'foreign'), found


def distribution(name: str) -> importlib.metadata.Distribution | None:
    """Return what is installed under a name, if anything is."""
    # An egg-info left in the checkout is no installation, though PYTHONPATH may point there.
    installed = [path for path in sys.path if os.path.realpath(path) != REPO]
    return next(iter(importlib.metadata.distributions(name=name, path=installed)), None)


main()
