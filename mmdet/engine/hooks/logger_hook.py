"""Logs that begin with what is trained or tested."""

from mmengine.hooks import LoggerHook as MMEngineLoggerHook
from mmengine.runner import Runner

from mmdet.engine.summary import describe_test, describe_training
from mmdet.registry import HOOKS


@HOOKS.register_module()
class LoggerHook(MMEngineLoggerHook):
    """mmengine's hook, which says first what the run is.

    See mmengine's class for the arguments.
    """

    def before_train(self, runner: Runner) -> None:
        """Say what is trained, on what, and where it goes."""
        runner.logger.info(describe_training(runner))

    def before_test(self, runner: Runner) -> None:
        """Say what is tested, on what, and where it goes."""
        runner.logger.info(describe_test(runner))
