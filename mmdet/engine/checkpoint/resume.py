"""Which checkpoint of a work directory a training goes on from."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import print_log

from mmdet.errors import UserError

from .read import read_checkpoint

_SAVED = re.compile(r'((epoch|iter)_\d+|best_.+)\.pth')


class _Rank(NamedTuple):
    """What makes one checkpoint better to go on from than another; the highest is the best.

    Attributes:
        is_complete: it has the optimizer's state; what is saved as the best has not.
        time: when it was saved, as the file says it, whoever copied it. A folder may hold
            checkpoints of an earlier training, or of one that went on from an earlier epoch: the
            one that was saved last is of the latest. A clock that was set back costs an epoch.
        iteration: how far the training was; the name may count epochs, or iterations.
        name: for files that say neither; a longer number is a higher one.
    """

    is_complete: bool
    time: str
    iteration: int
    name: tuple[int, str]


def checkpoint_to_resume(work_dir: str) -> str | None:
    """Return the latest checkpoint in a work directory that is sound, with a training in it.

    That is the one that `last_checkpoint` names. Where there is none, or it is damaged, it is the
    last one before it, and a warning says why. What was saved as the best is the last resort.

    Args:
        work_dir: where a training saved its checkpoints; it need not exist.

    Returns:
        The checkpoint; None if the folder holds none at all, so that a training may begin there.

    Raises:
        UserError: there are checkpoints, but none to go on from.
    """
    folder = Path(work_dir)
    noted = _named_as_latest(folder)
    saved = _files_in(folder)
    if not saved and noted is not None:
        saved = _files_in(noted.parent)  # the hook's `out_dir`
    problems: list[str] = []
    if noted is not None and not noted.is_file():
        problems.append(f'{noted} is gone')
    for path in _latest_first(saved, noted, problems):
        try:
            checkpoint = read_checkpoint(str(path), map_location='cpu')
        except UserError as error:
            problems.append(_without_remedy(error))
            continue
        if not is_training(checkpoint):
            problems.append(f'{path} holds no training')
            continue
        if 'optimizer' not in checkpoint and path != noted:
            problems.append(f'{path.name} is without the state of an optimizer')
        for problem in problems:
            print_log(f'{problem}: resuming from {path}', 'current', logging.WARNING)
        return str(path)
    if not saved and noted is None:
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


def _latest_first(saved: list[Path], noted: Path | None, problems: list[str]) -> Iterator[Path]:
    """Yield the checkpoints to try, the noted one first; it is mostly the only one looked at."""
    if noted is not None and noted.is_file():
        yield noted
    ranks: dict[Path, _Rank] = {}
    for path in saved:
        if path == noted or not _is_saved_by_training(path, noted):
            continue
        try:
            # Only what is not a tensor: a folder may hold many gigabytes.
            checkpoint = read_checkpoint(str(path), map_location='cpu', lazily=True)
        except UserError as error:
            problems.append(_without_remedy(error))
            continue
        if not is_training(checkpoint):
            problems.append(f'{path} holds no training')
            continue
        meta = checkpoint['meta']
        ranks[path] = _Rank(
            is_complete='optimizer' in checkpoint,
            time=str(meta.get('time', '')),
            iteration=int(meta['iter']),
            name=(len(path.name), path.name),
        )
    yield from sorted(ranks, key=ranks.__getitem__, reverse=True)


def _is_saved_by_training(path: Path, noted: Path | None) -> bool:
    """Return whether a file is called as the hook calls them, by default or by `filename_tmpl`."""
    like_noted = re.sub(r'\d+', r'\\d+', re.escape(noted.name)) if noted is not None else ''
    return bool(_SAVED.fullmatch(path.name) or re.fullmatch(like_noted, path.name))


def _without_remedy(error: UserError) -> str:
    return error.message.removesuffix('. If you trust its source')


def _files_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob('*.pth')) if path.is_file()]


def _named_as_latest(folder: Path) -> Path | None:
    """Return the checkpoint that was noted; of a folder that was moved or copied, its own."""
    note = folder / 'last_checkpoint'
    if not note.is_file():
        return None
    text = note.read_bytes().decode(errors='replace').strip('\0 \r\n')
    if not text:
        return None  # it was cut off
    own = folder / Path(text).name
    return own if own.is_file() else Path(text)
