"""Stopping a training where it is, with a checkpoint to go on from."""

import copy
import signal
from contextlib import nullcontext
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import EMAHook
from mmengine.runner import Runner

from .hooks import CheckpointHook
from .saver import saving_alone
from .signals import Stopped, StopRequest


def note_signals(runner: Runner) -> None:
    """When a training begins: from now on a signal waits for the end of a step."""
    request = _request(runner)
    if request is not None:
        request.taking_steps = True


def stop_if_asked(runner: Runner) -> None:
    """After a step: stop in all processes, if any was asked to.

    Raises:
        Stopped: one was.
    """
    request = _request(runner)
    if request is not None and (by := request.agree()):
        _save_and_say(runner, by)
        request.end_together()
        raise Stopped(by)


def stop_validation_if_asked(runner: Runner) -> None:
    """Before a step of a validation within a training: stop, if this process was asked to.

    Processes do not agree here, as they need not validate as many images: where one alone was
    asked, what started them (torchrun, srun) ends the others.

    Raises:
        Stopped: it was.
    """
    request = _request(runner)
    if request is None or request.asked is None:
        return
    leave_validation(runner)
    _save_and_say(runner, request.asked)
    raise Stopped(request.asked)


def leave_validation(runner: Runner) -> None:
    """Give the model its own weights, before the end of a validation; it had averaged ones."""
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            hook.after_val_epoch(runner)


def _request(runner: Runner) -> StopRequest | None:
    return getattr(runner, 'stop_request', None)  # mmengine's own runner has none


def _save_and_say(runner: Runner, by: signal.Signals) -> None:
    saved = save_now(runner)
    if is_main_process():
        runner.logger.warning(f'Stopped by {by.name} after {runner.iter} iterations: {saved}')


def save_now(runner: Runner, *, alone: bool = False) -> str:
    """Save this very step, unless it has been saved, and return in words what to go on from.

    Args:
        runner: of the training.
        alone: other processes take no part, and this one saves whatever its rank.
    """
    if runner.iter == 0:
        return 'there is nothing to save yet'
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    if hook is None:
        return 'nothing is saved, as there is no CheckpointHook'
    if runner.message_hub.runtime_info.get('saved_iter') != runner.iter:
        if hook.by_epoch:
            # Beside those of epochs, and none of them is deleted for it.
            hook = copy.copy(hook)
            hook.by_epoch, hook.filename_tmpl, hook.max_keep_ckpts = False, 'iter_{}.pth', -1
        meta = dict(epoch=runner.epoch, iter=runner.iter)
        with saving_alone(Path(hook.out_dir)) if alone else nullcontext():
            hook._save_checkpoint_with_step(runner, runner.iter, meta=meta)
    # Which file, the process that saves knows alone.
    last = runner.message_hub.runtime_info.get('last_ckpt', 'a checkpoint')
    return f'{last} is saved, --resume goes on from there'
