"""The processes of a distributed job."""

import os
from datetime import timedelta

import torch
import torch.distributed as dist
from mmengine.config import Config

from mmdet.errors import UserError


def start_processes(cfg: Config) -> None:
    """Join this process to the others of its job, on a machine without a GPU.

    The runner does it where there are GPUs, over NCCL.

    Raises:
        UserError: there are fewer GPUs than processes on this machine.
    """
    gpus, wanted = torch.cuda.device_count(), int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    if 0 < gpus < wanted:
        raise UserError(
            f'{wanted} processes were asked for, but this machine has {gpus} GPUs: ask for {gpus}'
        )
    if gpus:
        return
    # mmengine would choose a CUDA device for each process; it takes a group that is there.
    timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
    dist.init_process_group('gloo', timeout=timedelta(seconds=timeout))
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
