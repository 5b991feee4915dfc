"""How a checkpoint is found by its name: a path, an address, a name of published weights.

Each loader replaces mmengine's for its prefix.
"""

import json
from importlib.resources import files

import torch
import torchvision
from mmengine.runner import CheckpointLoader

from mmdet.errors import UserError

from .download import download
from .read import read_checkpoint


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: str | torch.device | None) -> dict:
    """Read a checkpoint file; see `read_checkpoint`."""
    return read_checkpoint(filename, map_location=map_location)


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: str | torch.device | None) -> dict:
    """Download a checkpoint unless it is in the cache, and read it; see `download`."""
    return read_checkpoint(str(download(filename)), map_location=map_location)


@CheckpointLoader.register_scheme(prefixes='torchvision://', force=True)
def load_from_torchvision(filename: str, map_location: str | torch.device | None) -> dict:
    """Load torchvision's ImageNet weights of a model, `torchvision://resnet50`.

    As in mmdetection, these are the first weights that torchvision published.
    """
    name = filename.removeprefix('torchvision://')
    try:
        weights = torchvision.models.get_model_weights(name)['IMAGENET1K_V1']
    except (ValueError, KeyError):
        raise UserError(f'torchvision has no ImageNet weights for {name!r}') from None
    return load_from_http(weights.url, map_location)


@CheckpointLoader.register_scheme(prefixes=('open-mmlab://', 'openmmlab://'), force=True)
def load_from_openmmlab(filename: str, map_location: str | torch.device | None) -> dict:
    """Load ImageNet weights that OpenMMLab publishes, `open-mmlab://resnext101_64x4d`.

    The names and addresses are those in mmengine's list.
    """
    name = filename.partition('://')[2]
    name = _hub('deprecated').get(name, name)
    return load_from_http(_published(name, 'openmmlab'), map_location)


@CheckpointLoader.register_scheme(prefixes='mmcls://', force=True)
def load_from_mmcls(filename: str, map_location: str | torch.device | None) -> dict:
    """Load the backbone of a classifier that OpenMMLab publishes, `mmcls://resnet50_v1d`.

    The names and addresses are those in mmengine's list.
    """
    url = _published(filename.removeprefix('mmcls://'), 'mmcls')
    weights = load_from_http(url, map_location)['state_dict']
    prefix = 'backbone.'
    kept = {key.removeprefix(prefix): weights[key] for key in weights if key.startswith(prefix)}
    return dict(state_dict=kept)


def _hub(name: str) -> dict[str, str]:
    return json.loads(files('mmengine.hub').joinpath(f'{name}.json').read_text())


def _published(name: str, hub: str) -> str:
    urls = _hub(hub)
    if name not in urls:
        known = ', '.join(sorted(urls))
        raise UserError(f'OpenMMLab publishes no weights {name!r}; it does {known}')
    return urls[name]
