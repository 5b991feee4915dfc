"""The machine that a figure was measured on, without which it says little."""

import os
import platform
from pathlib import Path

import torch
from mmengine.dist import get_world_size

from mmdet.engine.memory.available import most_used_bytes

_CPUINFO = Path('/proc/cpuinfo')


def machine_of(device: torch.device) -> dict[str, object]:
    """Return what is computed with.

    Returns:
        `cpu`, its name; `cores` that this process may run on; `threads` of PyTorch; `instructions`
        that PyTorch uses; `gpu`, its name or None; `processes` of the job; `torch`, the version;
        `settings`, the variables of the environment that turn something of this package on or off.
    """
    return dict(
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count(),
        threads=torch.get_num_threads(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        gpu=torch.cuda.get_device_name(device) if device.type == 'cuda' else None,
        processes=get_world_size(),
        torch=torch.__version__,
        settings={name: os.environ[name] for name in os.environ if name.startswith('MMDET_')},
    )


def peak_memory(device: torch.device) -> int:
    """Return how many bytes were used at most: of the GPU by tensors, or by this process."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device)
    return most_used_bytes()


def _cpu_name() -> str:
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
