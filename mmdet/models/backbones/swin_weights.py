"""Weights of a Swin Transformer, from the layouts that they are published in."""

import re
from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from mmdet.errors import UserError

_RENAMES = (
    (r'^layers\.', 'stages.'),
    (r'\.attn\.', '.attn.w_msa.'),
    (r'\.mlp\.fc1\.', '.ffn.layers.0.0.'),
    (r'\.mlp\.fc2\.', '.ffn.layers.1.'),
    (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
)
# Buffers that follow from the size of the window, and parts of a classifier
_NOT_NEEDED = re.compile(r'relative_position_index$|attn_mask$|^head\.|^norm\.')


def of_backbone(weights: Mapping[str, Tensor], *, convert: bool, source: str) -> dict[str, Tensor]:
    """Return the weights of a backbone under mmdetection's names, without what is computed.

    Args:
        weights: a checkpoint's, of a backbone or of a model that has one.
        convert: they are of Microsoft's repository, and in its order.
        source: what to call them.

    Raises:
        UserError: they are of the other kind.
    """
    prefix = 'backbone.'
    inside = {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
    inside = inside or dict(weights)
    is_microsofts = any(name.startswith('layers.') for name in inside)
    if is_microsofts != convert:
        kind = "Microsoft's" if is_microsofts else "not Microsoft's"
        raise UserError(
            f"{source} has {kind} names: set the backbone's convert_weights={is_microsofts}"
        )
    if convert:
        inside = from_microsoft(inside)
    return {name: value for name, value in inside.items() if not _NOT_NEEDED.search(name)}


def from_microsoft(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of https://github.com/microsoft/Swin-Transformer as mmdetection has them.

    Where patches are merged, Microsoft has the channels of one pixel after another, column by
    column of the four; mmdetection has the four pixels of each channel, row by row.
    """
    renamed = {}
    for name, value in weights.items():
        if '.downsample.' in name:  # the last axis is of merged channels
            pixels = value.unflatten(-1, (2, 2, -1))  # column, row, channel
            value = pixels.movedim(-1, -3).transpose(-1, -2).flatten(-3)
        for pattern, replacement in _RENAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def resized_bias(table: Tensor, size: int) -> Tensor:
    """Return a (P, heads) table of biases, of a square of relative positions, as (size, heads)."""
    side, new_side = round(len(table) ** 0.5), round(size**0.5)
    square = table.T.unflatten(1, (side, side))[None]
    resized = F.interpolate(square, size=(new_side, new_side), mode='bicubic')
    return resized[0].flatten(1).T.contiguous()
