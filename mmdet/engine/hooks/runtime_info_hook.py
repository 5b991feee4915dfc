"""What a training notes at each step, for logs, curves and checkpoints."""

import torch
from mmengine.dist import all_reduce_dict
from mmengine.hooks import RuntimeInfoHook as MMEngineRuntimeInfoHook
from mmengine.runner import Runner

from mmdet.engine.sound_steps import was_left_out
from mmdet.registry import HOOKS


@HOOKS.register_module()
class RuntimeInfoHook(MMEngineRuntimeInfoHook):
    """mmengine's hook, which every runner has; losses are the mean over all processes.

    mmengine notes each process's own. The heads normalise by what all processes hold, so that the
    mean is the loss that one process has with all their images. Losses of a step that was left out
    are not noted: one NaN would hide the others' mean.

    One message of a few numbers is sent at each step. It adds no point where a GPU waits for the
    host: mmengine reads every loss at every step, each on its own, and by then the gradients, which
    all processes had to wait for, have been exchanged.
    """

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Note the losses of a step."""
        if was_left_out(runner.optim_wrapper):
            return
        losses = {
            name: value.detach()
            for name, value in (outputs or {}).items()
            if isinstance(value, torch.Tensor) and value.is_floating_point()
        }
        if losses:
            all_reduce_dict(losses, op='mean')
            read = torch.stack([each.reshape(()) for each in losses.values()]).tolist()
            outputs = {**(outputs or {}), **dict(zip(losses, read, strict=True))}
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
