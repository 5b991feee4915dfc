"""What processes tell each other from host to host, without the GPUs."""

from functools import cache

import torch.distributed as dist


def host_group() -> dist.ProcessGroup:
    """Return a group of all processes over gloo; all of them are to ask for it at the same place.

    NCCL would have each number go through the GPUs.
    """
    world = dist.group.WORLD
    assert world is not None  # the processes have joined each other
    return _host_group(world)


def forget_host_group() -> None:
    """Let go of the group, so that it can end."""
    _host_group.cache_clear()


@cache
def _host_group(world: dist.ProcessGroup) -> dist.ProcessGroup:
    group = dist.new_group(backend='gloo')
    assert isinstance(group, dist.ProcessGroup)  # all processes are in it
    return group
