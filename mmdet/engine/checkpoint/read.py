"""Reading a checkpoint: whatever it was made by, its weights end up under our names.

`meta['config']`, which mmengine's `Runner.resume` would execute, is dropped.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mmdet.errors import UserError

from .layouts import to_our_names
from .plain import from_plain
from .safe_load import log_once, read_file


def read_checkpoint(
    filename: str,
    *,
    map_location: str | torch.device | None,
    trust: bool = False,
    lazily: bool = False,
) -> dict:
    """Read a checkpoint file and give its weights our names.

    Args:
        filename: what `torch.save`, safetensors or PaddlePaddle wrote.
        map_location: where the tensors go.
        trust: unpickle everything, which runs whatever code the file holds.
        lazily: leave the tensors in the file until they are used, and do not compare checksums.

    Returns:
        The checkpoint; its `state_dict` maps names to tensors.

    Raises:
        UserError: the file is missing, is no checkpoint, is damaged, or asks to run code.
    """
    path = Path(filename).expanduser()
    content = read_file(path, map_location=map_location, trust=trust, lazily=lazily)
    weights, recognised = to_our_names(_weights(content), source=filename)
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
