"""Pictures of predictions, in validation and in testing."""

from collections.abc import Sequence
from pathlib import Path

import mmcv
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample


@HOOKS.register_module()
class DetVisualizationHook(Hook):
    """Draw predictions beside the ground truth.

    Args:
        draw: without it nothing is drawn.
        interval: in validation, draw the first image of every so many iterations.
        score_thr: leave out predictions with a lower score.
        test_out_dir: in testing, draw every image into this folder; a relative one is taken
            below `<work_dir>/<timestamp>`.
        test_limit: in testing, draw this many images at most, in each process.
    """

    def __init__(
        self,
        draw: bool = False,
        interval: int = 50,
        score_thr: float = 0.3,
        test_out_dir: str | None = None,
        test_limit: int | None = None,
    ) -> None:
        self.draw = draw
        self.interval = interval
        self.score_thr = score_thr
        self.test_out_dir = test_out_dir
        self.test_limit = test_limit
        self.num_drawn = 0

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[DetDataSample],
    ) -> None:
        """Give a picture to the visualizer's backends every `interval` iterations."""
        if self.draw and batch_idx % self.interval == 0:
            name = f'val_{Path(outputs[0].img_path).stem}'
            self._draw(runner, outputs[0], name=name, step=runner.iter)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[DetDataSample],
    ) -> None:
        """Write pictures of the images."""
        if not self.draw or self.test_out_dir is None:
            return
        folder = Path(runner.work_dir, runner.timestamp, self.test_out_dir)
        for sample in outputs:
            if self.num_drawn == self.test_limit:
                return
            self.num_drawn += 1
            name = Path(sample.img_path).name
            self._draw(runner, sample, name=name, out_file=str(folder / name))

    def _draw(
        self,
        runner: Runner,
        sample: DetDataSample,
        *,
        name: str,
        step: int = 0,
        out_file: str | None = None,
    ) -> None:
        image = mmcv.imread(sample.img_path, channel_order='rgb')
        runner.visualizer.add_datasample(
            name,
            image,
            sample.cpu(),
            out_file=out_file,
            pred_score_thr=self.score_thr,
            step=step,
        )
