"""Which checkpoint of a work directory a training goes on from."""

import logging
import re
from pathlib import Path

from mmengine.logging import print_log

from mmdet.errors import UserError

from .read import read_checkpoint

_SAVED = re.compile(r'(epoch|iter)_(\d+)\.pth')


def checkpoint_to_resume(work_dir: str) -> str | None:
    """Return the latest checkpoint in a work directory that can be read, with a training in it.

    That is the one that `last_checkpoint` names. Where there is none, or it was cut off when it
    was saved, it is the last one before it, and a warning says so.

    Args:
        work_dir: where a training saved its checkpoints; it need not exist.

    Returns:
        The checkpoint; None if the folder holds none at all, so that a training may begin there.

    Raises:
        UserError: there are checkpoints, but none to go on from.
    """
    folder = Path(work_dir)
    saved = [path for path in folder.glob('*.pth') if path.is_file()]
    latest = _named_as_latest(folder)
    steps = {path: step for path in saved if (step := _step(path))}
    candidates = sorted(steps, key=lambda path: steps[path], reverse=True)
    problems = []
    if latest is not None and latest.is_file():
        candidates = [latest, *(path for path in candidates if path != latest)]
    elif latest is not None:
        problems.append(f'{latest} is gone')
    for path in candidates:
        try:
            checkpoint = read_checkpoint(str(path), map_location='cpu')
        except UserError as error:
            problems.append(error.message)
            continue
        if not is_training(checkpoint):
            problems.append(f'{path} holds no training')
            continue
        for problem in problems:
            print_log(f'{problem}: resuming from {path}', 'current', logging.WARNING)
        return str(path)
    if not saved and latest is None:
        return None
    why = '; '.join(problems) or f'{saved[0]} is not one of a training'
    raise UserError(
        f'{work_dir} holds checkpoints, but none to go on from ({why}): name one to resume from, '
        'or another work directory to start anew'
    )


def is_training(checkpoint: dict) -> bool:
    """Return whether a checkpoint, as read, has the state of a training beside the weights."""
    meta = checkpoint.get('meta') or {}
    return 'message_hub' in checkpoint and 'epoch' in meta and 'iter' in meta


def _named_as_latest(folder: Path) -> Path | None:
    """Return the checkpoint that mmengine noted; if the folder was moved, the one that it holds."""
    note = folder / 'last_checkpoint'
    if not note.is_file():
        return None
    path = Path(note.read_text().strip())
    moved = folder / path.name
    return moved if moved.is_file() and not path.is_file() else path


def _step(path: Path) -> int | None:
    """Return the epoch or iteration in a name; a training saves by the one or by the other."""
    match = _SAVED.fullmatch(path.name)
    return int(match[2]) if match else None
