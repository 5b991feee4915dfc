"""How much memory a training may take, and how a trial is kept within it."""

import resource
from pathlib import Path

import torch

# What is left is for what a trial does not show: other processes of the training exchange
# gradients, workers load, memory falls into pieces.
_SHARE_OF_GPU = 0.9
_SHARE_OF_MACHINE = 0.8


def keep_within_available(processes: int) -> tuple[int, str]:
    """Let this process take no more memory than a training may: more is an error, not its end.

    Args:
        processes: of the training, on a machine without a GPU: they share its memory.

    Returns:
        How many bytes that is, with those that it has already, and of what.
    """
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        torch.cuda.set_per_process_memory_fraction(_SHARE_OF_GPU * free / total)
        return int(_SHARE_OF_GPU * free), torch.cuda.get_device_name()
    most = int(_SHARE_OF_MACHINE * available_bytes() / processes)
    # Of the limits that Linux keeps to, the one nearest to memory that is really used.
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = bytes_in(Path('/proc/self/status'), 'VmData') + most
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    return most_used_bytes() + most, 'this machine'


def most_used_bytes() -> int:
    """Return how much memory this process had at most: on the GPU, or on the machine."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_reserved()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def available_bytes(proc: Path = Path('/proc'), cgroups: Path = Path('/sys/fs/cgroup')) -> int:
    """Return how much of the machine's memory is available to this process, on Linux.

    A container, or a cluster's job, may have less than the machine has left; and `ulimit -v` less
    than that.

    Args:
        proc: where the system tells of processes.
        cgroups: where it tells of the groups that containers are.
    """
    rooms = [bytes_in(proc / 'meminfo', 'MemAvailable')]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        rooms.append(limit - bytes_in(proc / 'self/status', 'VmSize'))
    for line in (proc / 'self/cgroup').read_text().splitlines():
        _, controllers, group = line.split(':', 2)
        if controllers == '':
            rooms += _rooms_in(cgroups, group, most='memory.max', now='memory.current')
        elif 'memory' in controllers.split(','):
            names = dict(most='memory.limit_in_bytes', now='memory.usage_in_bytes')
            rooms += _rooms_in(cgroups / 'memory', group, **names)
    return max(0, min(rooms))


def _rooms_in(root: Path, group: str, *, most: str, now: str) -> list[int]:
    """Return the room in a group and in those around it."""
    inner = root / group.strip('/')
    rooms = []
    for folder in (inner, *inner.parents):
        if folder.is_relative_to(root) and (folder / most).is_file():
            limit = (folder / most).read_text().strip()
            if limit != 'max':
                used = int((folder / now).read_text()) - _reclaimable(folder)
                rooms.append(int(limit) - used)
    return rooms


def _reclaimable(folder: Path) -> int:
    """Return how much of what a group uses is files that the system kept at hand."""
    stat = folder / 'memory.stat'
    lines = stat.read_text().splitlines() if stat.is_file() else []
    values = dict(line.rsplit(' ', 1) for line in lines)
    return int(values.get('inactive_file', 0))


def bytes_in(file: Path, name: str) -> int:
    """Return, in bytes, an entry of a file such as /proc/meminfo."""
    line = next(line for line in file.read_text().splitlines() if line.startswith(f'{name}:'))
    return int(line.split()[1]) * 1024
