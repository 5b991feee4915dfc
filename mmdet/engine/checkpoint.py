"""Checkpoint files: plain when saved, checked when loaded, never executed.

A checkpoint comes from anywhere. It is read with `weights_only=True`, which refuses to run code,
and `meta['config']`, which mmengine's `Runner.resume` would execute, is dropped.
"""

import logging
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import torch
import torchvision
from mmengine.logging import HistoryBuffer, print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmdet.errors import UserError

_HISTORY_MARK = 'mmengine.HistoryBuffer'
_DROPPED = object()


def to_plain(value: object, *, name: str) -> object:
    """Return `value` made of what `torch.load(weights_only=True)` accepts.

    A HistoryBuffer becomes a dict of its two arrays. What has no plain form is left out with a
    warning: a checkpoint without it is worth more than none.

    Args:
        value: of a checkpoint.
        name: where it stands, for the warning.
    """
    if value is None or type(value) in (bool, int, float, str, bytes) or isinstance(value, Tensor):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
        return torch.from_numpy(value.copy())
    if isinstance(value, HistoryBuffer):
        values, counts = value.data
        return dict(
            mark=_HISTORY_MARK,
            values=torch.tensor(values, dtype=torch.float64),
            counts=torch.tensor(counts, dtype=torch.float64),
            max_length=value.max_length,
        )
    if isinstance(value, Mapping):
        items = {key: to_plain(item, name=f'{name}.{key}') for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not _DROPPED}
    if isinstance(value, list | tuple | set):
        items = [to_plain(item, name=f'{name}[{i}]') for i, item in enumerate(value)]
        items = [item for item in items if item is not _DROPPED]
        return tuple(items) if isinstance(value, tuple) else items
    if callable(value):
        return _DROPPED  # a scheduler's bound method, say, which its owner has anyway
    print_log(
        f'{name} is left out of the checkpoint: {type(value)} has no plain form',
        logger='current',
        level=logging.WARNING,
    )
    return _DROPPED


def from_plain(message_hub: dict) -> dict:
    """Return a message hub's saved state with its HistoryBuffers rebuilt."""
    scalars = {}
    for key, value in message_hub.get('log_scalars', {}).items():
        if isinstance(value, Mapping) and value.get('mark') == _HISTORY_MARK:
            value = HistoryBuffer(
                value['values'].cpu().numpy(),
                value['counts'].cpu().numpy(),
                max_length=value['max_length'],
            )
        scalars[key] = value
    return {**message_hub, 'log_scalars': scalars}


def _looks_pickled(path: Path) -> bool:
    """Return whether a file is torch's zip archive, or a pickle as torch < 1.6 wrote it."""
    with path.open('rb') as file:
        return zipfile.is_zipfile(path) or file.read(1) == b'\x80'


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: str | torch.device | None) -> dict:
    """Read a checkpoint file without running anything in it.

    Raises:
        UserError: the file is missing, is no checkpoint, or asks to run code.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise UserError(f'checkpoint {filename} does not exist')
    if not _looks_pickled(path):
        raise UserError(f'{filename} is not a checkpoint')
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split('WeightsUnpickler error:')[-1].strip().splitlines()[0]
        raise UserError(
            f'{filename} cannot be loaded without running code in it: {reason}'
        ) from None
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        raise UserError(
            f'{filename} is not a checkpoint, or is cut off: {str(error).splitlines()[0]}'
        ) from None
    if not isinstance(checkpoint, Mapping):
        raise UserError(f'{filename} is not a checkpoint: it holds a {type(checkpoint).__name__}')
    checkpoint = dict(checkpoint)
    if isinstance(checkpoint.get('meta'), Mapping):
        meta = checkpoint['meta']
        checkpoint['meta'] = {key: value for key, value in meta.items() if key != 'config'}
    if isinstance(checkpoint.get('message_hub'), Mapping):
        checkpoint['message_hub'] = from_plain(checkpoint['message_hub'])
    return checkpoint


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: str | torch.device | None) -> dict:
    """Download a checkpoint, once, into torch's cache and read it.

    Raises:
        UserError: it cannot be downloaded; the message says where to put the file by hand.
    """
    try:
        return torch.hub.load_state_dict_from_url(
            filename, map_location=map_location, weights_only=True, progress=True
        )
    except (URLError, OSError) as error:
        cache = Path(torch.hub.get_dir(), 'checkpoints', Path(urlparse(filename).path).name)
        raise UserError(
            f'{filename} cannot be downloaded ({error}). Without a network: fetch it elsewhere '
            f'and put it at {cache}, or train from scratch with '
            '--cfg-options model.backbone.init_cfg=None'
        ) from None


@CheckpointLoader.register_scheme(prefixes='torchvision://', force=True)
def load_from_torchvision(filename: str, map_location: str | torch.device | None) -> dict:
    """Load torchvision's ImageNet weights of a model, `torchvision://resnet50`.

    As in mmdetection, these are the first weights that torchvision published.
    """
    name = filename.removeprefix('torchvision://')
    try:
        weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
    except (ValueError, AttributeError):
        raise UserError(f'torchvision has no ImageNet weights for {name!r}') from None
    return load_from_http(weights.url, map_location)


def check_fit(model: nn.Module, filename: str) -> None:
    """Compare a checkpoint's parameters with the model's.

    Raises:
        UserError: names and shapes are not the same; the message names the first of them.
    """
    checkpoint = CheckpointLoader.load_checkpoint(filename, map_location='cpu', logger='silent')
    weights = checkpoint.get('state_dict', checkpoint)
    shapes = {
        name.removeprefix('module.'): tuple(value.shape)
        for name, value in weights.items()
        if isinstance(value, Tensor)
    }
    model = model.module if is_model_wrapper(model) else model
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    # Old batch norms did not count their batches.
    missing = [key for key in wanted if key not in shapes and 'num_batches_tracked' not in key]
    unexpected = [key for key in shapes if key not in wanted]
    other_shape = [
        f'{key} {shapes[key]} instead of {wanted[key]}'
        for key in wanted
        if key in shapes and shapes[key] != wanted[key]
    ]
    problems = [
        f'{title} {len(keys)}: {", ".join(keys[:3])}{", ..." if len(keys) > 3 else ""}'
        for title, keys in (
            ('missing', missing),
            ('unexpected', unexpected),
            ('of another shape', other_shape),
        )
        if keys
    ]
    if problems:
        raise UserError(
            f'{filename} does not fit the model; parameters {"; ".join(problems)}. '
            'Is it the checkpoint of this config?'
        )
