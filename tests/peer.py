"""Asking mmdetection 3.3 itself, in an environment that has it.

A test calls `ask(script, question)`; the script has a function `answer(question)`, which runs in
that environment, by this file as a program: a pickle from stdin to stdout.
"""

import contextlib
import os
import pickle
import runpy
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parents[1]


def ask(script: Path, question: object) -> object:
    """Return the answer of a script; the test is skipped where mmdetection is not to be had."""
    import pytest  # that environment may lack it

    shim = REPO.parent / 'shared/peer'
    if 'MMDET_PEER' not in os.environ:
        pytest.skip('MMDET_PEER names no interpreter with mmdet 3.3')
    if not shim.is_dir():
        pytest.skip(f'{shim}, which makes mmdet 3.3 importable, is absent')
    said = subprocess.run(
        [os.environ['MMDET_PEER'], __file__, shim, script],
        input=pickle.dumps(question),
        capture_output=True,
        env={key: value for key, value in os.environ.items() if key != 'PYTHONPATH'},
        cwd='/',
        check=False,
    )
    assert said.returncode == 0, said.stderr.decode()[-2000:]
    return pickle.loads(said.stdout)


def _serve(shim: str, script: str) -> None:
    question = pickle.load(sys.stdin.buffer)
    with contextlib.redirect_stdout(sys.stderr):  # whatever is imported prints
        sys.path[0] = shim  # in the place of this folder, whose names are this project's
        import mmdet33  # noqa: F401

        from mmdet.utils import register_all_modules

        register_all_modules()
        found = runpy.run_path(script)['answer'](question)
    pickle.dump(found, sys.stdout.buffer)


if __name__ == '__main__':
    _serve(*sys.argv[1:])
