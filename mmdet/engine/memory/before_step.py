"""What a step found, to tell whether a checkpoint of it can still be saved."""

from collections.abc import Iterator

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from mmdet.engine.running_statistics import RunningStatistics


class BeforeStep:
    """A training's state before a step, most of which a step changes at its end alone.

    Norm layers change their running statistics in the forward pass: these are copied. For all else
    torch counts how often a tensor was written to.

    Args:
        model: of the training.
        optim_wrapper: an optimizer's, or one that holds several.
    """

    def __init__(self, model: nn.Module, optim_wrapper: object) -> None:
        self._model, self._optim_wrapper = model, optim_wrapper
        self._statistics = RunningStatistics(model)
        self._written = self._count()

    def put_back(self) -> bool:
        """Put the statistics back, and return whether all else is as it was."""
        self._statistics.put_back()
        return self._count() == self._written

    def _count(self) -> list[tuple[int, int]]:
        return [(id(each), each._version) for each in self._saved()]

    def _saved(self) -> Iterator[Tensor]:
        """Yield what a checkpoint holds, without running statistics."""
        yield from self._model.parameters()
        for module in self._model.modules():
            if not isinstance(module, _NormBase):
                yield from module.buffers(recurse=False)
        for wrapper in wrappers_in(self._optim_wrapper):
            for state in wrapper.optimizer.state.values():
                yield from (value for value in state.values() if isinstance(value, Tensor))
            if is_accumulating(wrapper):
                grads = (each.grad for each in self._model.parameters())
                yield from (grad for grad in grads if grad is not None)


def wrappers_in(optim_wrapper: object) -> list[OptimWrapper]:
    """Return the wrapper of an optimizer, or those of several."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        return list(optim_wrapper.values())
    return [optim_wrapper] if isinstance(optim_wrapper, OptimWrapper) else []


def is_accumulating(wrapper: OptimWrapper) -> bool:
    """Return whether gradients have been gathered that no step was taken with yet."""
    return wrapper._accumulative_counts > 1 and not wrapper.should_update()
