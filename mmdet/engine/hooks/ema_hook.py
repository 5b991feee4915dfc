"""Averaged weights that a step left out does not move."""

from mmengine.hooks import EMAHook as MMEngineEMAHook
from mmengine.runner import Runner

from mmdet.engine.sound_steps import was_left_out
from mmdet.registry import HOOKS


@HOOKS.register_module()
class EMAHook(MMEngineEMAHook):
    """mmengine's hook, for which a step that was left out has not been.

    See mmengine's class for the arguments.
    """

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Average the weights of a step."""
        if not was_left_out(runner.optim_wrapper):
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
