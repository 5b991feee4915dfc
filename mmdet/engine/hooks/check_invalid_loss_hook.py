"""Ending a training whose loss has become NaN or infinite."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet.engine.sound_steps import was_left_out
from mmdet.errors import UserError
from mmdet.registry import HOOKS


@HOOKS.register_module()
class CheckInvalidLossHook(Hook):
    """End the training if its loss is NaN or infinite, where `NonFiniteHook` bears some such steps.

    In mmdetection one such step makes all weights NaN, and the hook ends the training at the next
    multiple of `interval`. Here the step is left out, so that the loss may be finite again by then,
    and the training ends there nevertheless. Without this hook `default_hooks.non_finite` decides
    how many such steps are too many.

    Args:
        interval: look after each so many steps.

    Raises:
        UserError: when it looks, one of the steps since it did so last had such a loss.
    """

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise UserError(f'CheckInvalidLossHook: interval={interval} is below 1')
        self.interval = interval
        self._invalid_at: int | None = None

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Note whether the step was left out, and look at it if it is time to.

        Raises:
            UserError: see this class.
        """
        looks = self.every_n_train_iters(runner, self.interval)
        # Another optimizer wrapper takes every step, so that its loss says it at any later time.
        if was_left_out(runner.optim_wrapper) or (looks and not _is_finite(outputs)):
            self._invalid_at = self._invalid_at or runner.iter + 1
        if looks and self._invalid_at is not None:
            saved = runner.message_hub.runtime_info.get('last_ckpt')
            raise UserError(
                f'CheckInvalidLossHook: the loss, or a gradient, of step {self._invalid_at} is NaN '
                'or infinite: lower the learning rate, or mend the images that the log names'
                + ('' if saved is None else f', and go on with --resume from {saved}')
            )


def _is_finite(outputs: dict | None) -> bool:
    loss = (outputs or {}).get('loss')
    return loss is None or bool(loss.isfinite().all())
