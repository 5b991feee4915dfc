"""The curves of loss and AP, drawn while training goes on."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet.registry import HOOKS
from mmdet.visualization.curves import draw_curves

ITERS_KEY = 'curves_val_iters'


@HOOKS.register_module()
class CurvesHook(Hook):
    """Draw `curves.png` in the work directory after each validation and at the end.

    The values are those in the message hub, so a resumed run goes on with its curves.

    Args:
        metrics: the scores to draw, by their full names.
    """

    priority = 'VERY_LOW'

    def __init__(
        self,
        metrics: tuple[str, ...] = ('coco/segm_mAP', 'coco/segm_mAP_50', 'coco/segm_mAP_75'),
    ) -> None:
        self.metrics = metrics

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Note when the validation was, and draw."""
        hub = runner.message_hub
        iters = list(hub.runtime_info.get(ITERS_KEY, []))
        hub.update_info(ITERS_KEY, [*iters, runner.iter])
        self._draw(runner)

    def after_train(self, runner: Runner) -> None:
        """Draw."""
        self._draw(runner)

    @master_only
    def _draw(self, runner: Runner) -> None:
        hub = runner.message_hub

        def histories(prefix: str, names: tuple[str, ...]) -> dict[str, list[float]]:
            scalars = ((name, hub.log_scalars.get(f'{prefix}/{name}')) for name in names)
            return {name: buffer.data[0].tolist() for name, buffer in scalars if buffer}

        losses = tuple(
            key.removeprefix('train/') for key in hub.log_scalars if key.startswith('train/loss')
        )
        draw_curves(
            Path(runner.work_dir) / 'curves.png',
            losses=histories('train', losses),
            scores=histories('val', self.metrics),
            score_iters=hub.runtime_info.get(ITERS_KEY, []),
        )
