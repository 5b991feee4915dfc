"""Makes .venv and installs this package into it, so that an interrupted installation goes on."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
VENV = REPO / '.venv'
PYTHON = VENV / 'bin/python'
NAMES = ('python3', 'python3.13', 'python3.12', 'python3.11')
IS_SUPPORTED = 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

# What the user sees of pip's output; the whole of it is in the log.
SHOWN = (
    (
        r' *Downloading (?:\S*/)?([^ /-]+-[^ /-]+)\S* \((\d{2,}\.\d+ MB|.* GB)\)$',
        r'[set-up]   downloading \1 (\2)',
    ),
    (r'Installing collected packages:.*', '[set-up]   unpacking: a minute or more'),
    (
        r'.*building extension "mmdet\._C" failed: (.*)',
        r'[set-up]   the ops could not be compiled: \1',
    ),
    (
        r'.*the CUDA kernels could not be compiled and are left out: (.*)',
        r'[set-up]   no CUDA kernels: \1',
    ),
    (r'((?:ERROR|WARNING: Retrying).*)', r'\1'),
)


class SetUpError(Exception):
    """What is wrong and what to do about it, in one line."""


def say(message: str) -> None:
    """Tell the user how far it is; stdout is for the interpreter's path alone."""
    print(f'[set-up] {message}', file=sys.stderr, flush=True)


def fingerprint() -> str:
    """Return what .venv is made from: when this changes the installation is done again."""
    sources = sorted(path for path in (REPO / 'csrc').rglob('*') if path.is_file())
    digest = hashlib.sha256(str(REPO).encode())
    for path in (
        *(REPO / name for name in ('requirements.txt', 'pyproject.toml', 'setup.py')),
        *sources,
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_complete() -> bool:
    """Return whether the last installation into .venv was from these sources, and ended well."""
    mark = VENV / '.installed'
    return mark.is_file() and mark.read_text() == fingerprint()


def install() -> None:
    """Make .venv where there is none, and install this package into it.

    Raises:
        SetUpError: a step failed.
    """
    (VENV / '.installed').unlink(missing_ok=True)
    if not _succeeds(PYTHON, '-c', ''):
        _create_venv()
    if not _succeeds(PYTHON, '-c', IS_SUPPORTED):
        raise SetUpError(f'{VENV} is not of Python 3.11 to 3.13: remove it and try again')
    # pip writes INSTALLER last: what has none was interrupted, and pip would take it as installed.
    for info in VENV.glob('lib/python3.*/site-packages/*.dist-info'):
        if not (info / 'INSTALLER').exists():
            shutil.rmtree(info)
    has_pip = _succeeds(PYTHON, '-c', 'import importlib.metadata as m; m.version("pip")')
    if not has_pip and not _succeeds(PYTHON, '-m', 'ensurepip'):
        raise SetUpError(f'pip could not be installed in {VENV}: try {PYTHON} -m ensurepip')

    say(
        f'installing requirements.txt in {VENV} (the first time 2 minutes or more and 6 GB, most '
        'of it PyTorch)'
    )
    # setuptools builds this package here: an environment for building would bring another torch.
    _pip_install('-r', str(REPO / 'requirements.txt'), 'setuptools>=77', what='the requirements')
    say('installing this package, editable, and compiling its ops (a minute or two)')
    for compiled in (REPO / 'mmdet').glob('_C*.so'):
        compiled.unlink()
    # With timm, which some of the configs need.
    _pip_install('--verbose', '--no-build-isolation', '-e', f'{REPO}[timm]', what='this package')
    if not list((REPO / 'mmdet').glob('_C*.so')):
        say(
            'going on without the compiled ops: slower ones take their place '
            f'({VENV}/install.log says why)'
        )
    (VENV / '.installed').write_text(fingerprint())


def _create_venv() -> None:
    wanted = os.environ.get('PYTHON')
    without_venv = None
    for python in [wanted] if wanted else NAMES:
        if not _succeeds(python, '-c', IS_SUPPORTED):
            continue
        if _succeeds(python, '-c', 'import ensurepip, venv'):
            say(f'creating {VENV} with {shutil.which(python)}')
            if subprocess.run([python, '-m', 'venv', '--clear', str(VENV)]).returncode:
                raise SetUpError(f'{VENV} could not be created: see above')
            return
        without_venv = without_venv or python
    if without_venv:
        version = 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
        package = subprocess.run(
            [without_venv, '-c', version], capture_output=True, text=True
        ).stdout
        raise SetUpError(f"Python's venv module is incomplete: apt-get install {package.strip()}")
    raise SetUpError(
        'no Python 3.11, 3.12 or 3.13 was found: name one with PYTHON=/path/to/python3'
    )


def _pip_install(*arguments: str, what: str) -> None:
    log = VENV / 'install.log'
    quiet = ('--disable-pip-version-check', '--no-input', '--progress-bar', 'off')
    command = [str(PYTHON), '-m', 'pip', 'install', *quiet, *arguments]
    with (
        log.open('w') as copy,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace'
        ) as pip,
    ):
        for line in pip.stdout or ():
            copy.write(line)
            for pattern, shown in SHOWN:
                match = re.match(pattern, line)
                if match:
                    print(match.expand(shown), file=sys.stderr, flush=True)
    if pip.returncode:
        raise SetUpError(f'{what} could not be installed: see above, and the whole log in {log}')


def _succeeds(python: str | Path, *arguments: str) -> bool:
    try:
        return not subprocess.run([python, *arguments], capture_output=True).returncode
    except OSError:
        return False
