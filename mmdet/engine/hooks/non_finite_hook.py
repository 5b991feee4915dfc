"""Saying which steps were left out because of NaN or infinity, and ending what only gets worse."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmdet.engine.checkpoint.finite import parameters_not_finite
from mmdet.engine.sound_steps import was_left_out
from mmdet.engine.wrapper import unwrapped
from mmdet.errors import UserError
from mmdet.registry import HOOKS

_NAMED = 3  # weights that a line names


class _Findings(NamedTuple):
    """What a process found in a step that was left out.

    Attributes:
        losses: of those that are not finite, `name value`.
        images: of the batch, their ids and names; it says of which the pixels are not finite.
        weights: the names of those that are not finite.
    """

    losses: list[str]
    images: list[str]
    weights: list[str]


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Log each step that was left out as its loss or gradients are not finite; end at too many.

    The optimizer wrapper leaves them out, see `mmdet.engine.sound_steps`. All processes do so at
    once, and end at once. A few in a long training are no harm; many mean that it diverges, or that
    its data are bad.

    Every training has it; `default_hooks.non_finite` in a config changes it.

    Args:
        stop_after: how many steps left out end the training.
        within: of how many steps.
    """

    priority = 'HIGH'  # before what logs and saves

    def __init__(self, stop_after: int = 10, within: int = 1000) -> None:
        if not 1 <= stop_after <= within:
            raise UserError(
                f'NonFiniteHook: stop_after={stop_after} is not from 1 to within={within}'
            )
        self.stop_after = stop_after
        self.within = within
        self._left_out: deque[int] = deque(maxlen=stop_after)
        self._total = 0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Say of a step that it was left out.

        Raises:
            UserError: there were too many.
        """
        if not was_left_out(runner.optim_wrapper):
            return
        step = runner.iter + 1
        self._total += 1
        self._left_out.append(step)
        weights = parameters_not_finite(unwrapped(runner.model))
        own = _Findings(_losses(outputs or {}), list(_images(data_batch)), weights)
        findings = all_gather_object(own)
        runner.logger.warning(f'Step {step} is left out: {_describe(findings)}')
        if len(self._left_out) == self.stop_after and self._left_out[0] > step - self.within:
            raise UserError(self._end(runner, findings))

    def after_train(self, runner: Runner) -> None:
        """Say how many steps were left out."""
        if self._total:
            runner.logger.warning(
                f'{self._total} steps were left out, as their loss or gradients were not finite'
            )

    def _end(self, runner: Runner, findings: Sequence[_Findings]) -> str:
        saved = runner.message_hub.runtime_info.get('last_ckpt')
        weights = [name for each in findings for name in each.weights]
        return (
            f'{self.stop_after} of the last {self.within} steps were left out, as their loss or '
            'gradients are not finite; the log names their images. '
            + (f'Weights are not finite themselves: {_shortened(weights)}. ' if weights else '')
            + ('Nothing is saved yet' if saved is None else f'{saved} is sound')
            + ': lower the learning rate, or mend the images'
            + ('' if saved is None else ', and go on with --resume')
        )


def _losses(outputs: Mapping) -> list[str]:
    """Return `name value` of what is not finite."""
    return [
        f'{name} {value.item()}'
        for name, value in outputs.items()
        if isinstance(value, Tensor) and value.numel() == 1 and not value.isfinite().all()
    ]


def _images(data_batch: object) -> Iterator[str]:
    """Yield `id (name)` of the images of a batch, as far as it says them."""
    batch = data_batch if isinstance(data_batch, Mapping) else {}
    samples, inputs = batch.get('data_samples') or (), batch.get('inputs')
    for index, sample in enumerate(samples):
        notes = []
        if path := getattr(sample, 'img_path', None):
            notes.append(Path(path).name)
        if inputs is not None and not torch.isfinite(inputs[index]).all():
            notes.append('not finite')
        yield f'{getattr(sample, "img_id", "?")}' + (f' ({", ".join(notes)})' if notes else '')


def _describe(findings: Sequence[_Findings]) -> str:
    """Return what was found, of the processes that have a bad loss, or else of all."""
    bad = [rank for rank, each in enumerate(findings) if each.losses]
    parts = [] if bad else ['the gradients are not finite, though the losses are']
    for rank in bad or range(len(findings)):
        each = findings[rank]
        place = f'process {rank}: ' if len(findings) > 1 else ''
        said = [', '.join(each.losses), 'images ' + ', '.join(each.images) if each.images else '']
        if each.weights:
            said.append(f'weights that are not finite: {_shortened(each.weights)}')
        parts.append(place + '; '.join(filter(None, said)))
    return '; '.join(parts)


def _shortened(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    more = f' and {len(names) - _NAMED} more' if len(names) > _NAMED else ''
    return ', '.join(names[:_NAMED]) + more
