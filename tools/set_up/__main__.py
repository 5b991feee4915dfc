"""Finds or makes an environment that has this package, and prints its interpreter's path.

`setup_env` in tools/setup_env.sh runs it: python3 tools/set_up. It needs Python 3.11 or later and
nothing else.
"""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from install import PYTHON, REPO, SetUpError, install, is_complete, say


class Environment(NamedTuple):
    """What `probe.py` found.

    Attributes:
        state: whose `mmdet` it has: `ours`, `foreign` or `none`.
        place: where that lies.
        interpreter: the interpreter's path.
        prefix: the environment's.
    """

    state: str
    place: str
    interpreter: str
    prefix: str


def probe(python: str | Path) -> Environment | None:
    """Look into an interpreter's environment; None if it does not run."""
    script = Path(__file__).with_name('probe.py')
    try:
        run = subprocess.run([python, script], capture_output=True, text=True)
    except OSError:
        return None
    return None if run.returncode else Environment(**json.loads(run.stdout))


def find_or_make() -> str | Path:
    """Return the interpreter of the active environment, or else of .venv, with this package."""
    named = os.environ.get('PYTHON')
    activated = os.environ.get('VIRTUAL_ENV') or os.environ.get('CONDA_PREFIX')
    active, here = probe(named or 'python3'), probe(PYTHON)
    if active and (here is None or active.prefix != here.prefix):
        if active.state == 'ours':
            say(f'using {active.interpreter}, which has this package ({active.place})')
            return active.interpreter
        # A bare system Python does not touch .venv; one that was chosen is meant to be used.
        if active.state == 'foreign' and (named or activated):
            raise _foreign(active)
        if activated:
            say(
                f'the active environment ({active.interpreter}) does not have this '
                "checkout's package: using .venv instead"
            )
    if here and here.state == 'foreign':
        raise _foreign(here)
    if not (here and here.state == 'ours' and is_complete()):
        _install_alone()
    say(f'using {PYTHON}')
    return PYTHON


def _foreign(environment: Environment) -> SetUpError:
    return SetUpError(
        f"the `mmdet` in {environment.place} (OpenMMLab's?) would clash with this package, which "
        'has the same import name: uninstall it '
        f'({shlex.quote(environment.interpreter)} -m pip uninstall mmdet), take it off PYTHONPATH, '
        'or use another environment'
    )


def _install_alone() -> None:
    """Install once for all nodes that share a file system and come here at once."""
    with (REPO / '.venv.lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say('waiting for another set-up')
            fcntl.flock(lock, fcntl.LOCK_EX)
        here = probe(PYTHON)
        if not (here and here.state == 'ours' and is_complete()):
            install()


def check_opencv(python: str | Path) -> None:
    """Its wheel needs two libraries of a desktop system, which servers and containers may lack."""
    run = subprocess.run([python, '-c', 'import cv2'], capture_output=True, text=True)
    if not run.returncode:
        return
    error = run.stderr.strip().splitlines()[-1]
    if any(library in error for library in ('libGL', 'libgthread', 'libglib')):
        raise SetUpError(
            f'OpenCV lacks a system library ({error}): apt-get install libgl1 libglib2.0-0 '
            '(Debian, Ubuntu) or dnf install mesa-libGL glib2 (Fedora, RHEL)'
        )
    raise SetUpError(f'OpenCV cannot be imported with {python}: {error}')


def main() -> None:
    """Set up, and print the interpreter's path."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        python = find_or_make()
        check_opencv(python)
    except KeyboardInterrupt:
        print('interrupted: the next run goes on from here', file=sys.stderr)
        sys.exit(130)
    except SetUpError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    print(python)


main()
