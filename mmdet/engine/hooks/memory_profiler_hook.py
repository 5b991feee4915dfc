"""The machine's memory in the log, while a run goes on."""

from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet.engine.memory.available import available_bytes, bytes_in
from mmdet.errors import UserError
from mmdet.registry import HOOKS

_MEMINFO = Path('/proc/meminfo')


@HOOKS.register_module()
class MemoryProfilerHook(Hook):
    """Log how much memory the machine and this process use, as the system says it.

    The line is mmdetection's, but that available is what a container or `ulimit` leaves. Of a GPU's
    memory mmengine's log tells at each step.

    Args:
        interval: log after each so many steps of training, validation and test.
    """

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise UserError(f'MemoryProfilerHook: interval={interval} is below 1')
        self.interval = interval

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Log it, if it is time to."""
        self._log(runner, batch_idx)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: object = None,
    ) -> None:
        """Log it, if it is time to."""
        self._log(runner, batch_idx)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: object = None,
    ) -> None:
        """Log it, if it is time to."""
        self._log(runner, batch_idx)

    def _log(self, runner: Runner, batch_idx: int) -> None:
        if self.every_n_inner_iters(batch_idx, self.interval):
            runner.logger.info(_in_words())


def _in_words() -> str:
    total, left = bytes_in(_MEMINFO, 'MemTotal'), bytes_in(_MEMINFO, 'MemAvailable')
    swap, swap_left = bytes_in(_MEMINFO, 'SwapTotal'), bytes_in(_MEMINFO, 'SwapFree')
    process = bytes_in(Path('/proc/self/status'), 'VmRSS')
    return (
        f'Memory information available_memory: {_mib(available_bytes())} MB, '
        f'used_memory: {_mib(total - left)} MB, memory_utilization: {_percent(total, left)} %, '
        f'available_swap_memory: {_mib(swap_left)} MB, used_swap_memory: {_mib(swap - swap_left)} '
        f'MB, swap_memory_utilization: {_percent(swap, swap_left)} %, '
        f'current_process_memory: {_mib(process)} MB'
    )


def _mib(number: int) -> int:
    return round(number / 2**20)


def _percent(total: int, left: int) -> float:
    return round(100 * (total - left) / total, 1) if total else 0.0
