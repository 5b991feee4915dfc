"""Whether what a training would save is finite."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from mmdet.engine.running_statistics import names_of_statistics


def parameters_not_finite(model: nn.Module) -> list[str]:
    """Return the names of a model's parameters that hold NaN or infinity."""
    return [name for name, each in model.named_parameters() if not _is_finite(each.detach())]


def not_finite(checkpoint: Mapping, model: nn.Module) -> list[str]:
    """Return where a checkpoint holds NaN or infinity.

    Looked at are parameters, running statistics, both also as averaged by `EMAHook`, and the
    optimizer's state. Another buffer of a model may be infinite on purpose.

    Args:
        checkpoint: as a runner saves it.
        model: whose it is.
    """
    watched = {name for name, _ in model.named_parameters()} | names_of_statistics(model)
    found: list[str] = []
    for key in ('state_dict', 'ema_state_dict'):
        state = checkpoint.get(key) or {}
        named = {f'{key}: {name}': state[name] for name in state if _bare(name) in watched}
        found += [name for name, each in named.items() if not _is_finite(each)]
    optimizer = [each for each in _tensors(checkpoint.get('optimizer')) if not _is_finite(each)]
    return found + ['optimizer'] * bool(optimizer)


def _bare(name: str) -> str:
    return name.removeprefix('module.')


def _is_finite(value: Tensor) -> bool:
    if not value.is_floating_point():
        return True
    # A norm takes a twentieth of the time on a CPU; that of large numbers may be infinite itself.
    return bool(torch.linalg.vector_norm(value).isfinite() or value.isfinite().all())


def _tensors(node: object) -> Iterator[Tensor]:
    if isinstance(node, Tensor):
        yield node
    elif isinstance(node, Mapping):
        for each in node.values():
            yield from _tensors(each)
    elif isinstance(node, list | tuple):
        for each in node:
            yield from _tensors(each)
