"""Steps that are taken only if loss and gradients are finite, in all processes or in none.

One NaN in an image, a weight or a loss would make every weight NaN, and every checkpoint after it.
A step that would do so is left out: weights, the optimizer's state and running statistics stay as
they were, and `NonFiniteHook` says so.

How it is known, and why so:

- After the backward pass the norm of all gradients is finite only if each of them is. On that and
  on the loss the processes agree by the largest of one number each: none takes a step alone.
- The host reads that number before the optimizer's step, as torch's GradScaler does. Optimizers
  would have to know it otherwise (only the fused ones do, by `found_inf`), or weights and momentum
  would have to be copied, for which a GPU may lack the memory. The host reads from a GPU no more
  often for it, as `RuntimeInfoHook` reads all losses at once, and mmengine's each on its own. But
  where gradients are not clipped (their norm is read, too) the GPU now idles while the host queues
  the optimizer's step. How long that is was not measured.
- Where gradients are accumulated, one that is not finite would spoil those that were gathered. So
  there the loss is read before the backward pass, and a bad one is replaced by one of which all
  gradients are zero: the processes exchange what was gathered nevertheless. If a loss is finite and
  its gradients are not, all that was gathered is left out with it.
- Norm layers in training mode change their running statistics in the forward pass, so they are
  copied before it; see `RunningStatistics`.
- Scaled losses of mixed precision overflow now and then by design; GradScaler sees that in the
  gradients, leaves the step out and lowers the scale. That is its own matter and not counted here:
  with a scale only the loss is looked at, which is not scaled yet.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper as MMEngineOptimWrapper
from torch import Tensor, nn

from .running_statistics import RunningStatistics


class SoundSteps(MMEngineOptimWrapper):
    """Leaves a step out whose loss or gradients are not finite; see this module.

    Attributes:
        was_left_out: whether the last step was.
    """

    was_left_out = False
    _statistics: RunningStatistics | None = None
    _loss: Tensor | None = None
    # Whether any step of an accumulation was sound; None before its first.
    _gathered_any: bool | None = None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Be around the forward pass; notes the running statistics that it changes."""
        self._statistics = RunningStatistics(model)
        with super().optim_context(model):
            yield

    def update_params(
        self, loss: Tensor, step_kwargs: dict | None = None, zero_kwargs: dict | None = None
    ) -> None:
        """Update the parameters, or leave the step out."""
        self.was_left_out = False
        if self._accumulative_counts == 1:
            self._loss = loss.detach()
        elif _is_finite_everywhere(loss.detach()):
            self._gathered_any = True
        else:
            self._leave_out()
            self._gathered_any = bool(self._gathered_any)
            loss = self._loss_without_gradient()
        super().update_params(loss, step_kwargs, zero_kwargs)
        self._loss = self._statistics = None

    def step(self, **kwargs: object) -> None:
        """Take the optimizer's step, if it is sound."""
        if self._is_sound():
            super().step(**kwargs)
        else:
            self._leave_out()
        self._gathered_any = None

    def _is_sound(self) -> bool:
        if self._gathered_any is False:
            return False
        gradients = self._gradients_to_check()
        norms = [nn.utils.get_total_norm(gradients)] if gradients else []
        losses = [] if self._loss is None else [self._loss]
        return _is_finite_everywhere(*losses, *norms)

    def _gradients_to_check(self) -> list[Tensor]:
        return [each.grad for each in self._parameters() if each.grad is not None]

    def _parameters(self) -> Iterator[Tensor]:
        for group in self.optimizer.param_groups:
            yield from group['params']

    def _loss_without_gradient(self) -> Tensor:
        """Return a loss that depends on each parameter, by a factor of zero."""
        trained = [each.sum() for each in self._parameters() if each.requires_grad]
        return torch.stack(trained).sum() * 0

    def _leave_out(self) -> None:
        self.was_left_out = True
        if self._statistics is not None:
            self._statistics.put_back()


def was_left_out(optim_wrapper: object) -> bool:
    """Return whether the last step was left out; a wrapper that is none of ours takes each."""
    return isinstance(optim_wrapper, SoundSteps) and optim_wrapper.was_left_out


def _is_finite_everywhere(*values: Tensor) -> bool:
    """Return whether these are finite, and in all other processes; all of them are to call it."""
    if not values:
        return True
    # A number, as not every backend has the maximum of booleans.
    unsound = torch.stack([~each.isfinite().all() for each in values]).any().float()
    all_reduce(unsound, op='max')
    return not unsound.item()
