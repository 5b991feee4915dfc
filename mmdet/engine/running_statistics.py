"""What norm layers gather in training: a forward pass changes it before the loss is known."""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class RunningStatistics:
    """The running statistics of a model as they were.

    They are copied: two numbers a channel of each norm layer in training mode that keeps them. With
    `norm_eval=True`, which the SOLO configs have, that is none.

    Args:
        model: what is about to compute.
    """

    def __init__(self, model: nn.Module) -> None:
        self._copies = [(buffer, buffer.clone()) for buffer in _gathered(model)]

    def put_back(self) -> None:
        """Give the model the statistics that it had."""
        for buffer, before in self._copies:
            buffer.copy_(before)


def _gathered(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        if isinstance(module, _NormBase) and module.training and module.track_running_stats:
            yield from module.buffers(recurse=False)


def names_of_statistics(model: nn.Module) -> set[str]:
    """Return the names that the running statistics have in a model's `state_dict`."""
    return {
        f'{name}.{buffer}'.removeprefix('.')
        for name, module in model.named_modules()
        if isinstance(module, _NormBase)
        for buffer, _ in module.named_buffers(recurse=False)
    }
