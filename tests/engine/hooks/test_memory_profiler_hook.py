import re
from types import SimpleNamespace

import pytest
import torch

from mmdet.engine import MemoryProfilerHook
from mmdet.errors import UserError

LINE = re.compile(
    r'Memory information available_memory: (\d+) MB, used_memory: (\d+) MB, '
    r'memory_utilization: ([\d.]+) %, available_swap_memory: (\d+) MB, used_swap_memory: (\d+) MB, '
    r'swap_memory_utilization: ([\d.]+) %, current_process_memory: (\d+) MB'
)


def logged(hook: MemoryProfilerHook, stage: str, *, steps: int = 1) -> list[list[float]]:
    lines = []
    runner = SimpleNamespace(logger=SimpleNamespace(info=lines.append))
    for step in range(steps):
        getattr(hook, f'after_{stage}_iter')(runner, step)
    return [[float(each) for each in LINE.fullmatch(line).groups()] for line in lines]


@pytest.mark.parametrize('stage', ['train', 'val', 'test'])
def test_each_interval_has_its_line(stage):
    assert len(logged(MemoryProfilerHook(3), stage, steps=8)) == 2


def test_the_numbers_are_the_systems():
    hook = MemoryProfilerHook(1)
    ((available, used, share, _, _, swap, before),) = logged(hook, 'train')
    assert available > 0 and used > 0 and 0 < share < 100 and 0 <= swap <= 100
    block = torch.ones(64 << 20, dtype=torch.uint8)
    ((*_, after),) = logged(hook, 'train')
    assert 60 < after - before < 100
    del block


def test_an_interval_below_one_is_refused():
    with pytest.raises(UserError, match='interval=0 is below 1'):
        MemoryProfilerHook(0)
