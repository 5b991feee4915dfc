"""That the head has as many classes as the data sets."""

import logging

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmdet.datasets.dataset_wrappers import innermost
from mmdet.engine.wrapper import unwrapped
from mmdet.errors import UserError
from mmdet.registry import HOOKS


@HOOKS.register_module()
class NumClassCheckHook(Hook):
    """Hold the head's `num_classes` against the classes of each data set, before the first step.

    The tools do so in any case, by `PreflightHook`; beside it this hook does nothing. It is for
    runners that are built without the tools.
    """

    def before_train(self, runner: Runner) -> None:
        """Look at the data sets to train and to validate on; see `check_classes`."""
        if not _is_looked_at(runner):
            check_classes(runner, runner.train_loop)
            check_classes(runner, runner.val_loop)

    def before_val(self, runner: Runner) -> None:
        """Look at the data set of a validation; see `check_classes`."""
        if not _is_looked_at(runner):
            check_classes(runner, runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        """Look at the data set of a test; see `check_classes`."""
        if not _is_looked_at(runner):
            check_classes(runner, runner.test_loop)


def check_classes(runner: Runner, loop: BaseLoop | None) -> None:
    """Hold the head's `num_classes` against the classes of each data set of a loop.

    A data set that does not say its classes is named in the log.

    Raises:
        UserError: one has another number, or its classes are no list of names.
    """
    head = getattr(unwrapped(runner.model), 'mask_head', None)
    number = getattr(head, 'num_classes', None)
    loader = getattr(loop, 'dataloader', None)
    if number is None or loader is None:
        return
    for dataset in innermost(loader.dataset):
        classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
        name = getattr(dataset, 'source', type(dataset).__name__)
        if isinstance(classes, str):
            raise UserError(
                f"{name}: metainfo has classes={classes!r}, which is one name's letters: write "
                f'classes=({classes!r},)'
            )
        if classes is None:
            runner.logger.log(
                logging.WARNING,
                f'{name} says no classes in its metainfo, so that they cannot be held against '
                f'model.mask_head.num_classes={number}',
            )
        elif len(classes) != number:
            raise UserError(
                f'{name} has {len(classes)} classes, but '
                f'model.mask_head.num_classes is {number}: set it to {len(classes)}, or name the '
                "classes to use in the data set's metainfo"
            )


def _is_looked_at(runner: Runner) -> bool:
    # Imported here, as it takes the check from here.
    from .preflight_hook import PreflightHook

    return any(isinstance(hook, PreflightHook) for hook in runner.hooks)
