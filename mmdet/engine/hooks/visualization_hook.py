"""Pictures of predictions, in validation and in testing."""

import os
from collections.abc import Sequence, Sized
from pathlib import Path

import cv2
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmdet.datasets.image_file import read_image
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample
from mmdet.visualization.window import check_window


@HOOKS.register_module()
class DetVisualizationHook(Hook):
    """Draw predictions beside the ground truth.

    Pictures go to the visualizer's backends, in several processes those of the first, unless there
    is a window for them or, in testing, a folder.

    Args:
        draw: without it nothing is drawn, and nothing shown.
        interval: in validation, draw the first image of every so many iterations.
        score_thr: leave out predictions with a lower score.
        show: show the pictures in a window, in several processes those of the first.
        wait_time: of the window, in seconds; 0 waits for it to be closed, or the space bar.
        test_out_dir: in testing, draw every image into this folder, in sub-folders as the data
            set has them; a relative one is taken below `<work_dir>/<timestamp>`.
        backend_args: of mmengine's storage backend, if images are not on a local disk.
        test_limit: in testing, draw this many images at most, in each process.

    Raises:
        UserError: no window can be opened.
    """

    def __init__(
        self,
        draw: bool = False,
        interval: int = 50,
        score_thr: float = 0.3,
        show: bool = False,
        wait_time: float = 0,
        test_out_dir: str | None = None,
        backend_args: dict | None = None,
        test_limit: int | None = None,
    ) -> None:
        if draw and show:
            check_window()
        self.draw = draw
        self.interval = interval
        self.score_thr = score_thr
        self.show = show
        self.wait_time = wait_time
        self.test_out_dir = test_out_dir
        self.backend_args = backend_args
        self.test_limit = test_limit
        self.num_drawn = 0
        self.image_folder: str = os.sep

    def before_val(self, runner: Runner) -> None:
        """Find out what the images' names are relative to."""
        if self.draw:
            self.image_folder = common_folder(runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Find out what the images' names are relative to."""
        if self.draw:
            self.image_folder = common_folder(runner.test_dataloader.dataset)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: Sequence[DetDataSample] | None = None,
    ) -> None:
        """Draw a picture every `interval` iterations."""
        if self.draw and outputs and batch_idx % self.interval == 0:
            self._draw(runner, outputs[0], prefix='val_', step=runner.iter + batch_idx)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: Sequence[DetDataSample] | None = None,
    ) -> None:
        """Draw pictures of the images."""
        if not self.draw:
            return
        for sample in outputs or ():
            if self.num_drawn == self.test_limit:
                return
            self.num_drawn += 1
            out_file = None
            if self.test_out_dir is not None:
                folder = Path(runner.work_dir, runner.timestamp, self.test_out_dir)
                out_file = str(folder / picture_name(sample.img_path, self.image_folder))
            self._draw(runner, sample, prefix='test_', step=self.num_drawn, out_file=out_file)

    def _draw(
        self,
        runner: Runner,
        sample: DetDataSample,
        *,
        prefix: str,
        step: int,
        out_file: str | None = None,
    ) -> None:
        if out_file is None and not is_main_process():
            return  # windows and backends are the first process's
        # Backends make a file name of it, which cannot hold a folder's.
        name = Path(picture_name(sample.img_path, self.image_folder)).with_suffix('')
        image = read_image(sample.img_path, size=sample.ori_shape, backend_args=self.backend_args)
        runner.visualizer.add_datasample(
            prefix + '_'.join(name.parts),
            image[..., ::-1],
            sample,
            show=self.show,
            wait_time=self.wait_time,
            out_file=out_file,
            pred_score_thr=self.score_thr,
            step=step,
        )


def common_folder(dataset: Dataset) -> str:
    """Return the folder below which all images of a data set are; `/` if it does not say."""
    if not isinstance(dataset, Sized) or not hasattr(dataset, 'get_data_info'):
        return os.sep
    paths = (dataset.get_data_info(index)['img_path'] for index in range(len(dataset)))
    folders = {os.path.dirname(os.path.abspath(path)) for path in paths}
    return os.path.commonpath(folders) if folders else os.sep


def picture_name(img_path: str, folder: str) -> str:
    """Return the file name of an image's picture: the image's own, with its sub-folders.

    So no picture takes the place of another. One of a kind that OpenCV does not write becomes PNG.

    Args:
        img_path: of the image.
        folder: somewhere above it.

    Examples:
        >>> picture_name('data/train/a/1.jpg', os.path.abspath('data/train'))
        'a/1.jpg'
    """
    name = os.path.relpath(img_path, folder)
    return name if cv2.haveImageWriter(name) else f'{name}.png'
