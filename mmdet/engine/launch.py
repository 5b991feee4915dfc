"""From a config to a runner: what training and testing share."""

from mmengine.config import Config
from mmengine.registry import build_runner_from_cfg
from mmengine.runner import Runner as MMEngineRunner

from mmdet.ops import warn_of_slow_ops
from mmdet.registry import RUNNERS

from .hooks import PreflightHook
from .processes import start_processes
from .runner import Runner
from .wrapper import device_of


def build_runner(cfg: Config) -> MMEngineRunner:
    """Start the process group if there is more than one process, and build the runner.

    Raises:
        UserError: there are fewer GPUs than processes on this machine.
    """
    if cfg.launcher != 'none':
        start_processes(cfg)
    runner = build_runner_from_cfg(cfg, RUNNERS) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.register_hook(PreflightHook())
    warn_of_slow_ops(device_of(runner.model).type)
    return runner
