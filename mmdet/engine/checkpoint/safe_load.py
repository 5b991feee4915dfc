"""Reading a checkpoint file without running anything in it."""

import pickle
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from mmengine.logging import print_log
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from mmdet.errors import Remedy, UserError
from mmdet.utils.placeholder import Placeholder

from . import pdparams
from .archive import check_archive
from .json_text import META, from_json

# What mmengine and NumPy pickle into a checkpoint of a training: log histories, and methods by
# name. None of it is in torch's list of what is safe.
_NAMES_IN_CHECKPOINTS = (
    'builtins.getattr',
    'mmengine.logging.history_buffer.HistoryBuffer',
    'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler',
    'numpy.dtype',
    'numpy.ndarray',
    'numpy._core.multiarray._reconstruct',
    'numpy._core.multiarray.scalar',
    'numpy.core.multiarray._reconstruct',  # NumPy 1
    'numpy.core.multiarray.scalar',
)
# Training goes on without a part of these, but not without a part of its weights.
_MAY_LOSE_ITEMS = ('message_hub', 'meta', 'param_schedulers')


@cache
def log_once(message: str) -> None:
    """Log a message, but not again in this process: a run reads a checkpoint more than once."""
    print_log(message, logger='current')


def read_file(
    path: Path,
    *,
    map_location: str | torch.device | None,
    trust: bool = False,
    lazily: bool = False,
) -> dict[str, object]:
    """Read a `.safetensors` file, PaddlePaddle's `.pdparams`, or one that `torch.save` wrote.

    Tensors and plain values are taken. mmengine's log histories and the few other objects that
    its runner pickles are left out, with one line in the log.

    Args:
        path: the file.
        map_location: where the tensors go.
        trust: unpickle everything, which runs whatever code the file holds.
        lazily: leave the tensors in the file until they are used, and do not compare checksums.

    Raises:
        UserError: the file is missing, is no checkpoint, is damaged, or asks to run code.
    """
    if path.is_dir():
        raise UserError(f'checkpoint {path} is a folder: name a file in it')
    if not path.is_file():
        raise UserError(f'checkpoint {path} does not exist')
    if path.suffix == '.safetensors':
        return _read_safetensors(path, map_location=map_location)
    if path.suffix == pdparams.SUFFIX:
        return dict(pdparams.read_pdparams(path, map_location=map_location))
    kind = _kind(path)
    if kind == 'archive' and not trust:
        check_archive(path, checksums=not lazily)
    stand_ins: list[Callable | tuple[Callable, str]] = [
        (Placeholder, name) for name in _NAMES_IN_CHECKPOINTS
    ]
    try:
        with torch.serialization.safe_globals(stand_ins):
            checkpoint = torch.load(
                path,
                map_location=map_location,
                weights_only=not trust,
                mmap=lazily and kind == 'archive',
            )
        places = list(_places(checkpoint, ()))
    except pickle.UnpicklingError as error:
        raise _refusal(path, _asked_for(str(error))) from None
    except Exception as error:  # a damaged file may break torch's reader anywhere
        reason = str(error).partition('\n')[0]
        raise UserError(
            f'{path} is not a checkpoint, or is cut off: {type(error).__name__}: {reason}'
        ) from None
    if not isinstance(checkpoint, Mapping):
        raise UserError(f'{path} is not a checkpoint: it holds a {type(checkpoint).__name__}')
    for place in places:
        if place[0] not in _MAY_LOSE_ITEMS:
            raise _refusal(path, f'{".".join(place)} is an object, not a tensor or a plain value')
    if not places:
        return dict(checkpoint)
    parts = sorted({place[0] for place in places})
    effect = '; log histories start anew' if 'message_hub' in parts else ''
    log_once(f'{path}: {len(places)} pickled objects in {", ".join(parts)} are left out{effect}')
    kept = without_placeholders(dict(checkpoint))
    assert isinstance(kept, dict)  # it loses items, but is never lost itself
    return kept


def _read_safetensors(path: Path, *, map_location: str | torch.device | None) -> dict:
    path.open('rb').close()  # what may not be read, safetensors calls missing
    try:
        weights = load_file(path, device=str(map_location or 'cpu'))
        with safe_open(path, 'pt') as file:
            about = file.metadata() or {}
        return dict(state_dict=weights, meta=from_json(about[META])) if META in about else weights
    except SafetensorError as error:
        raise UserError(f'{path} is not a safetensors file, or is cut off: {error}') from None
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f'{path}: {META} in its metadata cannot be read: {error}') from None


def _kind(path: Path) -> Literal['archive', 'pickle']:
    """Return whether a file is torch's zip archive, or a pickle as torch < 1.6 wrote it.

    Raises:
        UserError: it is neither.
    """
    try:
        if zipfile.is_zipfile(path):
            return 'archive'
    except zipfile.BadZipFile:  # it is one, but a damaged one
        return 'archive'
    with path.open('rb') as file:
        start = file.read(4)
    if start[:1] == b'\x80':
        return 'pickle'
    reason = 'it is empty' if not start else 'it is cut off' if start == b'PK\3\4' else ''
    raise UserError(f'{path} is not a checkpoint{reason and ": " + reason}')


def _asked_for(complaint: str) -> str:
    """Return what of torch's complaint says what a file wants, without its advice."""
    if found := re.search(r'GLOBAL ([\w.]+)', complaint):
        return f'it asks for {found[1]}'
    reason = complaint.split('WeightsUnpickler error:')[-1].strip().splitlines()[0]
    if reason.startswith('Trying to call reduce'):
        return 'it calls what another object in it would make'
    if reason.startswith('Unsupported operand'):
        return 'it is a pickle that torch did not write'
    return reason.split(' Please use')[0].rstrip('.')


def _refusal(path: Path, reason: str) -> UserError:
    return UserError(
        f'{path} cannot be loaded without running code in it: {reason}. If you trust its source',
        Remedy('trust', str(path)),
    )


def _is_placeholder(value: object) -> bool:
    """Return whether a value is one, or is the class, where a checkpoint names a class."""
    return value is Placeholder or isinstance(value, Placeholder)


def _places(value: object, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the keys that lead to each placeholder."""
    if _is_placeholder(value):
        yield place
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _places(key, (*place, str(key)))
            yield from _places(item, (*place, str(key)))
    elif isinstance(value, list | tuple | set):
        for index, item in enumerate(value):
            yield from _places(item, (*place, str(index)))


def without_placeholders(value: object) -> object:
    """Return `value` without its placeholders, or `Placeholder` if it cannot be without.

    A dict loses the items. A list, tuple or set goes as a whole: its other items would stand in
    another place, or for less than they did.
    """
    if _is_placeholder(value):
        return Placeholder
    if isinstance(value, dict):
        items = {key: without_placeholders(item) for key, item in value.items()}
        whole = {
            key: item
            for key, item in items.items()
            if item is not Placeholder and without_placeholders(key) is not Placeholder
        }
        return type(value)(whole)
    if isinstance(value, list | tuple | set):
        items = [without_placeholders(item) for item in value]
        return Placeholder if any(item is Placeholder for item in items) else type(value)(items)
    return value
