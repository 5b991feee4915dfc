"""The processes of a distributed job: who they are, and how they find each other.

Whatever started them, torch's own variables say it from here on: RANK, WORLD_SIZE, LOCAL_RANK,
MASTER_ADDR and MASTER_PORT, which torchrun sets.
"""

import gc
import inspect
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

# Its functions keep the group that there is at the first import, as a default, for ever: so before
# there is one. See `leave_processes`.
import torch.distributed.nn
from mmengine.config import Config
from torch.nn.parallel import DistributedDataParallel

from mmdet.errors import UserError

from .host_group import forget_host_group

# What each launcher tells a process: its rank, their number, its rank on its machine.
_VARIABLES = dict(
    pytorch=('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    slurm=('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    mpi=('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
)
# How gloo, then NCCL, say that a process which this one waits for has ended.
_LOST = re.compile('Connection (closed|reset) by peer|Broken pipe|remote process exited')
_STARTERS = dict(pytorch='torchrun', slurm='srun', mpi="Open MPI's mpirun")


def start_processes(cfg: Config) -> None:
    """Find out which process this is; on a machine without a GPU, join it to the others.

    The runner joins them where there are GPUs, over NCCL. Changes `cfg` and the environment.

    Raises:
        UserError: the launcher's variables are missing, or there are fewer GPUs than processes on
            this machine.
    """
    os.environ |= torch_variables(cfg.launcher, os.environ)
    gpus, wanted = torch.cuda.device_count(), int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    if cfg.launcher == 'slurm' and gpus == 1:
        os.environ['LOCAL_RANK'] = '0'  # with --gpus-per-task=1 a task sees its own GPU alone
    cfg.launcher = 'pytorch'
    if 0 < gpus < wanted:
        raise UserError(
            f'{wanted} processes were asked for, but this machine has {gpus} GPUs: ask for {gpus}'
        )
    # mmengine would choose the same, with a warning of each.
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        os.environ.setdefault(name, '1')
    cfg.model_wrapper_cfg = cfg.get('model_wrapper_cfg') or _wrapper(cfg)
    if gpus:
        return
    # mmengine would choose a CUDA device for each process; it takes a group that is there.
    timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
    dist.init_process_group('gloo', timeout=timedelta(seconds=timeout))
    cfg.model_wrapper_cfg.setdefault('device_ids', None)


def leave_processes() -> None:
    """End what there is between this process and the others, and the threads that served it.

    A thread of gloo lets go of the last message's tensors some time after the message has arrived.
    Where Python is already ending by then, that aborts the process: what had gone well would end
    with SIGABRT. So the groups have to end first, and they end with the last that refers to them:
    the caller must have let go of the model's wrapper.
    """
    forget_host_group()
    gc.collect()
    dist.destroy_process_group()


@contextmanager
def ending_with_others() -> Iterator[None]:
    """Let this process end without a traceback if another one has ended that it waits for.

    Raises:
        UserError: one has.
    """
    try:
        yield
    except RuntimeError as error:
        if not (dist.is_initialized() and _LOST.search(str(error))):
            raise
        raise UserError('ended because another process has, which says why if it could') from None


def is_first_process(launcher: str) -> bool:
    """Return whether this process is the first of its job, before they have joined each other.

    Args:
        launcher: `none`, `pytorch`, `slurm` or `mpi`.
    """
    return launcher == 'none' or os.environ.get(_VARIABLES[launcher][0]) in ('0', None)


def _wrapper(cfg: Config) -> dict:
    """Return mmengine's own choice; torch 2.14 warns of the name that one of its keys had."""
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    buffers = 'forward_sync_buffers' if 'forward_sync_buffers' in known else 'broadcast_buffers'
    return dict(
        type='MMDistributedDataParallel',
        find_unused_parameters=cfg.get('find_unused_parameters', False),
        **{buffers: False},
    )


def torch_variables(launcher: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what torchrun would have set, from what another launcher did.

    Args:
        launcher: `pytorch`, `slurm` or `mpi`.
        environ: the environment; MASTER_ADDR and MASTER_PORT in it are kept.

    Raises:
        UserError: the process was not started by this launcher, or nothing says where the first
            process is.
    """
    missing = [name for name in _VARIABLES[launcher] if name not in environ]
    if missing:
        raise UserError(
            f'--launcher {launcher}, but {", ".join(missing)} is not set: start the processes '
            f'with {_STARTERS[launcher]}'
        )
    rank, size, local_rank = (environ[name] for name in _VARIABLES[launcher])
    variables = dict(RANK=rank, WORLD_SIZE=size, LOCAL_RANK=local_rank)
    if 'MASTER_ADDR' not in environ:
        variables['MASTER_ADDR'] = _first_machine(launcher, size, environ)
    if 'MASTER_PORT' not in environ:
        # Jobs that share a machine must not meet: each takes a port of its own.
        job = re.sub(r'\D', '', environ.get('SLURM_JOB_ID', ''))
        variables['MASTER_PORT'] = str(15000 + int(job[-4:]) if job else 29500)
    return variables


def _first_machine(launcher: str, size: str, environ: Mapping[str, str]) -> str:
    if launcher == 'slurm' and environ.get('SLURM_NODELIST'):
        return first_host(environ['SLURM_NODELIST'])
    if launcher == 'mpi' and environ.get('OMPI_COMM_WORLD_LOCAL_SIZE') == size:
        return '127.0.0.1'
    raise UserError(
        f'--launcher {launcher}: set MASTER_ADDR to the address of the machine of process 0'
    )


def first_host(nodes: str) -> str:
    """Return the first host of SLURM's compact list, with `scontrol` if there is one.

    Examples:
        >>> first_host('gpu[03-07,9],login')
        'gpu03'
    """
    if scontrol := shutil.which('scontrol'):
        run = subprocess.run(
            [scontrol, 'show', 'hostnames', nodes], capture_output=True, text=True, check=False
        )
        if run.returncode == 0 and run.stdout.strip():
            return run.stdout.split()[0]
    # a[1-2]b[3-4],c: the first of each range, up to a comma that is not inside brackets
    first = re.match(r'(?:[^,\[]|\[[^\]]*\])*', nodes)
    assert first is not None  # it matches nothing at all, too
    return re.sub(r'\[([^\],-]+)[^\]]*\]', r'\1', first[0])
