"""Checkpoint files: plain when saved, checked when loaded, never executed.

A checkpoint comes from anywhere. It is read with `weights_only=True`, which refuses to run code,
and `meta['config']`, which mmengine's `Runner.resume` would execute, is dropped. Whatever it was
made by, its weights end up under our names in `state_dict`.
"""

import json
import logging
from collections.abc import Mapping
from importlib.resources import files
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

from .checkpoint_layouts import known_layouts, to_our_names
from .safe_load import log_once, read_file

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


def read_checkpoint(
    filename: str, *, map_location: str | torch.device | None, trust: bool = False
) -> dict:
    """Read a checkpoint file and give its weights our names.

    Args:
        filename: what `torch.save` or safetensors wrote.
        map_location: where the tensors go.
        trust: unpickle everything, which runs whatever code the file holds.

    Returns:
        The checkpoint; its `state_dict` maps names to tensors.

    Raises:
        UserError: the file is missing, is no checkpoint, or asks to run code.
    """
    content = read_file(Path(filename).expanduser(), map_location=map_location, trust=trust)
    weights, recognised = to_our_names(_weights(content))
    if not weights and 'state_dict' not in content:
        raise UserError(f'{filename} is not a checkpoint: it holds no weights')
    for layout in recognised:
        log_once(f'{filename} has the layout of {layout}')
    # Without a state dict the whole content is the weights, or another code base's.
    checkpoint = content if 'state_dict' in content else {}
    checkpoint = {**checkpoint, 'state_dict': weights}
    if isinstance(checkpoint.get('meta'), Mapping):
        meta = checkpoint['meta']
        checkpoint['meta'] = {key: value for key, value in meta.items() if key != 'config'}
    if isinstance(checkpoint.get('message_hub'), Mapping):
        checkpoint['message_hub'] = from_plain(checkpoint['message_hub'])
    return checkpoint


def _weights(content: Mapping) -> dict[str, Tensor]:
    """Return the weights to test with: where EMAHook ran, the averaged ones.

    mmengine's EMAHook saves the averaged weights as `state_dict`, and the others, which training
    goes on with, as `ema_state_dict`; a file with the latter alone holds a bare averaged model.
    `steps` there counts its updates. detectron2 has its weights in `model`.
    """
    containers = (content.get(key) for key in ('state_dict', 'model', 'ema_state_dict'))
    weights = next((item for item in containers if isinstance(item, Mapping)), content)
    return {
        name.removeprefix('module.'): value
        for name, value in weights.items()
        if isinstance(name, str) and isinstance(value, Tensor) and name != 'steps'
    }


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: str | torch.device | None) -> dict:
    """Read a checkpoint file; see `read_checkpoint`."""
    return read_checkpoint(filename, map_location=map_location)


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: str | torch.device | None) -> dict:
    """Download a checkpoint, once, into torch's cache and read it.

    Raises:
        UserError: it cannot be downloaded; the message says where to put the file by hand.
    """
    path = Path(torch.hub.get_dir(), 'checkpoints', Path(urlparse(filename).path).name)
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(filename, str(path))
        except (URLError, OSError) as error:
            raise UserError(
                f'{filename} cannot be downloaded ({error}). Without a network: fetch it '
                f'elsewhere and put it at {path}, or train from scratch with '
                '--cfg-options model.backbone.init_cfg=None'
            ) from None
    return read_checkpoint(str(path), map_location=map_location)


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


@CheckpointLoader.register_scheme(prefixes=('open-mmlab://', 'openmmlab://'), force=True)
def load_from_openmmlab(filename: str, map_location: str | torch.device | None) -> dict:
    """Load ImageNet weights that OpenMMLab publishes, `open-mmlab://resnext101_64x4d`.

    The names and addresses are those in mmengine's list.
    """
    published, renamed = (
        json.loads(files('mmengine.hub').joinpath(f'{name}.json').read_text())
        for name in ('openmmlab', 'deprecated')
    )
    name = filename.partition('://')[2]
    name = renamed.get(name, name)
    if name not in published:
        raise UserError(
            f'OpenMMLab publishes no weights {name!r}; it does {", ".join(sorted(published))}'
        )
    return load_from_http(published[name], map_location)


def check_fit(model: nn.Module, filename: str, *, resume: bool = False) -> None:
    """Compare a checkpoint's parameters with the model's.

    Args:
        model: what the checkpoint is for.
        filename: the checkpoint.
        resume: it must also hold the state of a training.

    Raises:
        UserError: names and shapes are not the same; the message names the first of them. Or
            there is no training to resume.
    """
    checkpoint = CheckpointLoader.load_checkpoint(filename, map_location='cpu', logger='silent')
    meta = checkpoint.get('meta') or {}
    if resume and not ('message_hub' in checkpoint and 'epoch' in meta and 'iter' in meta):
        raise UserError(
            f'{filename} holds no training to resume; start with its weights: '
            f'--cfg-options load_from={filename}'
        )
    shapes = {name: tuple(value.shape) for name, value in checkpoint['state_dict'].items()}
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
            f'Is it the checkpoint of this config? Known layouts: {known_layouts()}'
        )
