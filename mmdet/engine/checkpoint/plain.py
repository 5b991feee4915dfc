"""What a checkpoint holds, as plain values that `torch.load(weights_only=True)` accepts."""

import logging
from collections.abc import Mapping

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from torch import Tensor

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


def from_plain(message_hub: Mapping) -> dict:
    """Return a message hub's saved state with its HistoryBuffers rebuilt.

    Keys to resume whose values were left out are dropped, or mmengine would warn of each.
    """
    scalars = {}
    for key, value in message_hub.get('log_scalars', {}).items():
        if isinstance(value, Mapping) and value.get('mark') == _HISTORY_MARK:
            value = HistoryBuffer(
                value['values'].cpu().numpy(),
                value['counts'].cpu().numpy(),
                max_length=value['max_length'],
            )
        scalars[key] = value
    info = message_hub.get('runtime_info', {})
    resumed = {
        key: value
        for key, value in message_hub.get('resumed_keys', {}).items()
        if key in scalars or key in info
    }
    return dict(log_scalars=scalars, runtime_info=info, resumed_keys=resumed)
