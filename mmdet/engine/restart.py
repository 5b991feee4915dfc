"""Starting all processes of a training anew after one of them failed."""

import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path

_BEGAN = 'MMDET_LAUNCHED_AT'


def note_launch(environ: MutableMapping[str, str]) -> None:
    """Note when a training was launched, in the environment of its processes."""
    environ[_BEGAN] = str(time.time())


def was_restarted(environ: Mapping[str, str], work_dir: str) -> bool:
    """Return whether this process replaces one that had saved checkpoints, which it goes on from.

    Those of an earlier training in the same folder do not count.
    """
    if int(environ.get('TORCHELASTIC_RESTART_COUNT', 0)) == 0:
        return False
    began = float(environ.get(_BEGAN, 0))
    return any(path.stat().st_mtime >= began for path in Path(work_dir).glob('*.pth'))
