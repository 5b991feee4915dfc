"""Small models need one thread: those of two levels wait for each other on a busy machine."""

import subprocess
import sys

import torch
import torch.multiprocessing as mp
from torch.utils.data import DataLoader

COUNT = 'import torch; print(torch.get_num_threads())'


def assert_one_thread(_: int) -> None:
    assert torch.get_num_threads() == 1


def test_tests_and_the_processes_that_they_start_have_one_thread(environment):
    assert torch.get_num_threads() == 1
    for env in (environment, None):
        command = [sys.executable, '-c', COUNT]
        assert subprocess.run(command, env=env, check=True, capture_output=True).stdout == b'1\n'
    mp.spawn(assert_one_thread)
    (threads,) = DataLoader([0], num_workers=1, collate_fn=lambda _: torch.get_num_threads())
    assert threads == 1
