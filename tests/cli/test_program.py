"""How a command ends where there are several processes."""

import os
import sys

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mmdet.cli.program import run
from mmdet.engine.host_group import host_group
from mmdet.engine.signals import Stopped
from tests.faults import side_by_side


def train() -> DistributedDataParallel:
    dist.init_process_group('gloo')
    model = DistributedDataParallel(torch.nn.Linear(3, 3))
    model.of_itself = model  # as hooks and their runner refer to each other
    model(torch.ones(2, 3)).sum().backward()
    dist.all_reduce(torch.ones(3), group=host_group())
    return model


def train_and_stop() -> None:
    model = train()
    raise Stopped(by=15 if model.training else 0)


@pytest.mark.parametrize(('main', 'code'), [(train, 0), (train_and_stop, 143)])
def test_nothing_is_left_of_the_processes_groups(tmp_path, main, code):
    """A thread of theirs that still held a tensor while Python ends would abort the process."""

    def work(rank: int) -> None:
        threads = side_by_side.threads_of_groups
        try:
            run(main)
        finally:
            print(f'{threads()} threads', file=sys.stderr)

    assert side_by_side.run(work, tmp_path) == [code, code]
    for rank in (0, 1):
        assert (tmp_path / f'output_{rank}').read_text().endswith('0 threads\n')


def test_what_went_wrong_is_not_waited_for(tmp_path):
    def fail() -> None:
        model = train()
        if dist.get_rank() == 0:
            raise ValueError('of one process', model)
        dist.all_reduce(torch.ones(3))

    def work(rank: int) -> None:
        run(fail)
        os._exit(0)

    first, second = side_by_side.run(work, tmp_path)
    assert first == 1
    assert second == 1  # it has lost the other
    assert 'of one process' in (tmp_path / 'output_0').read_text()
