"""The look at the number of classes, by mmdetection's name."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet.engine.num_classes import check_classes
from mmdet.registry import HOOKS

from .preflight_hook import PreflightHook


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


def _is_looked_at(runner: Runner) -> bool:
    return any(isinstance(hook, PreflightHook) for hook in runner.hooks)
