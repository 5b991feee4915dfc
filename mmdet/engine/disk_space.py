"""How much room a training's checkpoints will take."""

import inspect

import torch
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import Runner
from torch import nn
from torch.optim import Optimizer

from .wrapper import unwrapped

_ADAMS = 2.0


def checkpoint_bytes(model: nn.Module, optimizer: Optimizer | None, *, averaged: bool) -> int:
    """Estimate the size of a checkpoint.

    Args:
        model: whose state is saved.
        optimizer: whose state is saved, too; None for none.
        averaged: an average of the model is saved beside it.
    """
    weights = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    total = weights * (2 if averaged else 1)
    if optimizer is not None:
        trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
        total += int(trained * values_per_parameter(optimizer))
    return total


def values_per_parameter(optimizer: Optimizer) -> float:
    """Return how many numbers an optimizer keeps for each that it optimises.

    It is tried on a small one. Of an optimizer for which that cannot be done, two are expected,
    as Adam keeps them.

    >>> layer = nn.Linear(2, 2)
    >>> values_per_parameter(torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9))
    1.0
    """
    small = nn.Parameter(torch.zeros(8, 8))
    small.grad = torch.ones(8, 8)
    cls = type(optimizer)
    known = inspect.signature(cls).parameters
    settings = {key: value for key, value in optimizer.defaults.items() if key in known}
    try:
        trial = cls([small], **settings)
        trial.step()
    except Exception:  # it may want whatever it likes of its parameters
        return _ADAMS
    values = trial.state[small].values()
    kept = sum(v.numel() for v in values if isinstance(v, torch.Tensor) and v.numel() > 1)
    return kept / small.numel()


def planned_checkpoints(hook: CheckpointHook, *, done: int, end: int) -> int:
    """Return how many checkpoints a hook will have at once, beside those there are.

    That is one more than it keeps: what is too many is deleted when the next is safe.

    Args:
        hook: the hook.
        done: epochs, or iterations, that are over.
        end: epochs, or iterations, of the whole training.
    """
    regular = 0
    if hook.interval > 0:
        regular = end // hook.interval - done // hook.interval
    if hook.save_last and (hook.interval <= 0 or end % hook.interval):
        regular += 1
    kept = min(regular, hook.max_keep_ckpts) if hook.max_keep_ckpts > 0 else regular
    best = 0 if hook.save_best is None else len(hook.key_indicators)
    replaces_one = kept < regular or (best and done + 1 < end)
    return kept + best + bool(replaces_one)


def checkpoints_of(runner: Runner) -> list[tuple[CheckpointHook, int, int]]:
    """Return the hooks that write checkpoints, how many each has yet to, and the bytes of one."""
    model = unwrapped(runner.model)
    averaged = any(isinstance(hook, EMAHook) for hook in runner.hooks)
    found = []
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            epochs, iterations = (runner.epoch, runner.max_epochs), (runner.iter, runner.max_iters)
            done, end = epochs if hook.by_epoch else iterations
            # A dict of wrappers, each with an optimizer of its own, has none itself.
            optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
            optimizer = optimizer if hook.save_optimizer else None
            size = checkpoint_bytes(model, optimizer, averaged=averaged)
            found.append((hook, planned_checkpoints(hook, done=done, end=end), size))
    return found
