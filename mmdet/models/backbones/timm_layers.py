"""How deep in a timm model each of its parameters is."""

import re
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import nn

from mmdet.errors import UserError

from .timm_backbone import TIMMBackbone

_BLOCKS = 3  # of ConvNeXt's third stage, which are one layer
_CONVNEXT = re.compile(r'stages\.(\d)\.(?:(downsample)|blocks\.(\d+))')


class TIMMLayers(NamedTuple):
    """What timm says of a backbone's parameters, by their names in `timm_model`.

    Attributes:
        depth: the layer of each, counted from the images on; the stem is 0.
        without_decay: those that weight decay is to leave alone, beside biases and norms.
    """

    depth: dict[str, int]
    without_decay: set[str]


def layers_of(backbone: TIMMBackbone, *, stages: bool) -> TIMMLayers:
    """Return how deep each parameter is.

    Those of ConvNeXt are mmdetection's: a stage is a layer, but of the third every three blocks
    are; what scales down before a stage is of that stage or, by stages, of the stem. Those of other
    models are timm's (`group_matcher`), where mostly a block is a layer.

    Args:
        backbone: the backbone.
        stages: count stages, not layers.

    Raises:
        UserError: timm does not say it of the model.
    """
    timm: Any = import_module('timm')  # an extra, which has built the backbone
    name = str(backbone.arguments['model_name'])
    with torch.device('meta'):
        whole: Any = timm.create_model(
            **{key: value for key, value in backbone.arguments.items() if key != 'out_indices'}
        )
    theirs = _names_in(whole, backbone.timm_model)
    if theirs is None or not hasattr(whole, 'group_matcher'):
        raise UserError(
            f'timm does not say how deep the parameters of {name} are: give the backbone one '
            "learning rate, by paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.1)}) "
            'without a constructor'
        )
    if name.startswith('convnext'):
        depth = {own: _of_convnext(each, stages=stages) for own, each in theirs.items()}
    else:
        matcher = whole.group_matcher(coarse=stages)
        grouped = timm.models.group_parameters(whole, matcher, reverse=True)
        depth = {own: grouped[each] for own, each in theirs.items()}
    places = {layer: place for place, layer in enumerate(sorted(set(depth.values())))}
    spared = set(whole.no_weight_decay()) if hasattr(whole, 'no_weight_decay') else set()
    return TIMMLayers(
        {own: places[layer] for own, layer in depth.items()},
        {own for own, each in theirs.items() if each in spared},
    )


def _names_in(whole: nn.Module, features: nn.Module) -> dict[str, str] | None:
    """Return what a model calls each parameter of the one that returns its features.

    timm lifts the children of sequences up (`stages.0` is `stages_0`), or wraps the model.
    """
    known = {name: name for name, _ in whole.named_parameters()}
    known |= {name.replace('.', '_', 1): name for name in known}
    found = {
        name: known.get(name) or known.get(name.removeprefix('model.'))
        for name, _ in features.named_parameters()
    }
    return {own: name for own, name in found.items() if name} if all(found.values()) else None


def _of_convnext(name: str, *, stages: bool) -> int:
    match = _CONVNEXT.match(name)
    if match is None or (stages and match[2]):
        return 0
    stage, block = int(match[1]), int(match[3] or 0)
    if stages or stage < 2:
        return stage + 1
    return 3 + block // _BLOCKS if stage == 2 else 99  # after all of the third
