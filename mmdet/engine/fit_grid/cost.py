"""What a training step of one image takes."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from mmdet.engine.measure.flops import BACKWARD, FORWARD, build, count_here, sample_of_levels
from mmdet.models.detectors import SOLO


class Cost(NamedTuple):
    """What it takes.

    Attributes:
        macs: multiplications, forward and backward, counted as if convolved directly.
        kept: bytes that the forward pass keeps for the backward pass.
    """

    macs: int
    kept: int


def cost_of(model: Mapping, size: tuple[int, int]) -> Cost:
    """Compute a step, and count.

    Args:
        model: a config; the weights are random.
        size: (height, width) of the image, padded.
    """
    detector = build(dict(model))
    counts, _ = count_here(detector, size, 'train', candidates=0)
    return Cost(counts[FORWARD] + counts[BACKWARD], count_kept(detector, size))


def count_kept(detector: SOLO, size: tuple[int, int]) -> int:
    """Return how many bytes a forward pass keeps for the backward one, weights not counted.

    Args:
        detector: whose losses are computed, for an image with an instance for each level.
        size: (height, width) of the image, padded.
    """
    weights = {each.untyped_storage().data_ptr() for each in detector.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    detector.train()
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = detector(
            torch.zeros(1, 3, *size), [sample_of_levels(detector.mask_head, size)], mode='loss'
        )
        del losses  # until here nothing that was kept may be freed, and its place taken
    return sum(kept.values())
