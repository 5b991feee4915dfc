"""From a config to a runner: what tools/train.py and tools/test.py share."""

import os
from datetime import timedelta

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.runner import Runner

from mmdet.errors import UserError
from mmdet.ops import warn_of_slow_ops


def build_runner(cfg: Config) -> Runner:
    """Start the process group if there is more than one process, and build the runner.

    Raises:
        UserError: there are fewer GPUs than processes on this machine.
    """
    if cfg.launcher != 'none':
        _start_processes(cfg)
    runner = Runner.from_cfg(cfg)
    warn_of_slow_ops(next(runner.model.parameters()).device.type)
    return runner


def _start_processes(cfg: Config) -> None:
    gpus, wanted = torch.cuda.device_count(), int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    if 0 < gpus < wanted:
        raise UserError(
            f'{wanted} processes were asked for, but this machine has {gpus} GPUs: ask for {gpus}'
        )
    if gpus:
        return  # the runner does the rest, over NCCL
    # mmengine would choose a CUDA device for each process; it takes a group that is there.
    timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
    dist.init_process_group('gloo', timeout=timedelta(seconds=timeout))
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
