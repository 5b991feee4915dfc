"""The last look before the first step."""

import logging
import shutil
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, Runner

from mmdet.datasets.dataset_wrappers import innermost
from mmdet.datasets.file_backend import file_backend
from mmdet.engine.disk_space import checkpoints_of
from mmdet.engine.num_classes import check_classes
from mmdet.errors import UserError
from mmdet.registry import HOOKS


@HOOKS.register_module()
class PreflightHook(Hook):
    """Find what would end a run after hours, when everything is built and nothing is trained yet.

    A metric of the evaluator that has a method `prepare` is asked to be ready: `CocoMetric` reads
    its annotation file. A data set to validate or test on that has a method `check_image_files`
    looks at its images: `CocoDataset` does. The head must have as many classes as the data sets,
    some of which know theirs only from their files. `save_best` must name a figure, where all
    metrics have a method `reported`: `CocoMetric` has. The disk must have room for one checkpoint;
    if it has not for all that the training will leave, the log says so.

    The tools register it; configs need not name it.
    """

    # After CheckpointHook knows its folder.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Ask the metrics and the data sets of the validation, and look at the disk.

        Raises:
            UserError: a metric is not ready, an image cannot be used, the head has another number
                of classes, `save_best` names no figure, or the disk has no room for a checkpoint.
        """
        if not is_main_process():
            return
        check_classes(runner, runner.train_loop)
        _prepare(runner, runner.val_loop)
        _check_best(runner)
        _check_disk(runner)

    def before_test(self, runner: Runner) -> None:
        """Ask the metrics and the data sets.

        Raises:
            UserError: a metric is not ready, an image cannot be used, or the head has another
                number of classes.
        """
        if is_main_process():
            _prepare(runner, runner.test_loop)


def _prepare(runner: Runner, loop: BaseLoop | None) -> None:
    check_classes(runner, loop)
    # There may be no loop, and a user's own may do without an evaluator.
    for metric in getattr(getattr(loop, 'evaluator', None), 'metrics', ()):
        prepare = getattr(metric, 'prepare', None)
        if callable(prepare):
            prepare()
    loader = getattr(loop, 'dataloader', None)
    for dataset in innermost(loader.dataset) if loader is not None else ():
        check = getattr(dataset, 'check_image_files', None)
        if callable(check):
            check()


def _check_best(runner: Runner) -> None:
    metrics = getattr(getattr(runner.val_loop, 'evaluator', None), 'metrics', ())
    if not metrics or not all(callable(getattr(each, 'reported', None)) for each in metrics):
        return  # another's, of which it is not known
    figures = [name for metric in metrics for name in metric.reported()]
    for hook in runner.hooks:
        for name in getattr(hook, 'save_best', None) or ():
            if name != 'auto' and name not in figures:
                raise UserError(
                    f'save_best={name!r} is none of the figures: set default_hooks.checkpoint.'
                    f'save_best to one of {", ".join(figures[:20])}'
                )


def _check_disk(runner: Runner) -> None:
    for hook, count, size in checkpoints_of(runner):
        folder = hook.out_dir
        if not count or not isinstance(file_backend(folder, hook.backend_args), LocalBackend):
            continue
        # `out_dir` may name another disk, and is made when the first checkpoint is written.
        there = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
        free = shutil.disk_usage(there).free
        room = free // size
        if room < 1:
            raise UserError(
                f'a checkpoint takes about {_in_words(size)}, but {folder} has {_in_words(free)} '
                'left: make room, or name another place with work_dir or out_dir'
            )
        if room < count:
            # One more than are kept is there while the next is saved.
            fewer = f', or set default_hooks.checkpoint.max_keep_ckpts={room - 1}' * (room > 1)
            print_log(
                f'{folder} has room for {room} checkpoints of about {_in_words(size)}, and '
                f'{count} are to be there at once: make room{fewer}',
                logger='current',
                level=logging.WARNING,
            )


def _in_words(size: int) -> str:
    """Return a number of bytes as people write it.

    >>> _in_words(1_500_000), _in_words(2 * 10**10)
    ('1.5 MB', '20.0 GB')
    """
    return f'{size / 1e9:.1f} GB' if size >= 1e9 else f'{size / 1e6:.1f} MB'
