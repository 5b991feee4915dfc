"""Trainings as processes, all of which are found, whoever started them."""

import copy
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config


class Session(subprocess.Popen):
    """A program, with a mark in its environment that all processes started from it inherit."""

    mark: str


Start = Callable[..., Session]


def written(cfg: Config, folder: Path) -> str:
    cfg.dump(folder / 'settings.py')
    return str(folder / 'settings.py')


def held(cfg: Config, folder: Path, *, after: str) -> str:
    """Return settings of a training that takes long after a step; it says so."""
    (folder / 'slow.py').write_text(
        'import time\n'
        'from mmengine.hooks import Hook\n'
        'from mmdet.registry import HOOKS\n'
        '@HOOKS.register_module()\n'
        'class Slow(Hook):\n'
        f'    def {after}(self, runner, batch_idx=0, data_batch=None, outputs=None):\n'
        f'        print("held {after}", flush=True)\n'
        '        time.sleep(5)\n'
    )
    cfg = copy.deepcopy(cfg)
    cfg.custom_hooks.append(dict(type='Slow'))
    return importing(cfg, folder, 'slow')


def importing(cfg: Config, folder: Path, module: str) -> str:
    """Return settings that import a module of the folder."""
    path = Path(written(cfg, folder))
    path.write_text(
        f'import sys\nsys.path.insert(0, {str(folder)!r})\n{path.read_text()}\n'
        f"custom_imports = dict(imports=['{module}'])\n"
    )
    return str(path)


def members(session: Session) -> list[int]:
    """Return the processes of a session that are alive; torchrun starts groups of its own."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            state = folder.joinpath('stat').read_text().rpartition(')')[2].split()[0]
            if state != 'Z' and session.mark in environment_of(int(folder.name)):
                found.append(int(folder.name))
        except OSError:
            continue  # it has just ended
    return sorted(found)


def environment_of(process: int) -> list[str]:
    return Path(f'/proc/{process}/environ').read_text().split('\0')


def wait_for(process: Session, text: str, *, times: int = 1) -> None:
    for line in process.stdout:
        times -= text in line
        if times == 0:
            return
    pytest.fail(f'it ended with {process.wait()}: {process.stderr.read()}')


def end(process: Session, *, tracebacks: bool = False, timeout: float = 120) -> tuple[str, float]:
    """Return all that it printed, and how long it took to end.

    Args:
        process: the first of its session; it leaves none behind.
        tracebacks: whether it may print any.
        timeout: seconds that it may take.
    """
    begin = time.monotonic()
    out, err = process.communicate(timeout=timeout)
    assert not members(process)
    assert tracebacks or 'Traceback' not in out + err, err
    return out + err, time.monotonic() - begin


def saved(text: str, folder: Path, *, by: str) -> Path:
    (line,) = (line for line in text.splitlines() if f'Stopped by {by}' in line)
    path = Path((folder / 'last_checkpoint').read_text())
    assert str(path) in line
    assert torch.load(path, weights_only=True)['meta']['iter'] == int(path.stem.split('_')[1])
    return path


def weights(folder: Path, epoch: int) -> dict[str, torch.Tensor]:
    return torch.load(folder / f'epoch_{epoch}.pth', weights_only=True)['state_dict']


def rank_of(session: Session, rank: int) -> int:
    """Return the process id of a rank; it is the parent of its loader's workers."""
    return min(each for each in members(session) if f'RANK={rank}' in environment_of(each))
