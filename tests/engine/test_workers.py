import os
import signal
import subprocess
import sys

from torch.utils.data import Dataset, get_worker_info

from mmdet.engine.runner import Runner

# A worker hands a tensor over; who should fetch it connects, and goes.
HANG_UP = """
import sys, time
from multiprocessing import current_process, resource_sharer
from multiprocessing.connection import Client
from torch.utils.data import DataLoader
from mmdet.engine.workers import leave_interrupts_to_main
loader = DataLoader([0])
if sys.argv[1] == 'ours':
    leave_interrupts_to_main(loader)
    loader.worker_init_fn(0)
address, _ = resource_sharer.DupFd(0)._id
Client(address, authkey=current_process().authkey).close()
time.sleep(0.5)
if sys.argv[1] == 'ours':
    raise ValueError('anything else is said')
"""


class InterruptedDataset(Dataset):
    """Each image comes from a process that Ctrl-C has just reached."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[int, int]:
        worker = get_worker_info()
        os.kill(os.getpid(), signal.SIGINT)
        return index, worker.id


def remember_seed(worker_id: int) -> None:
    os.environ['WORKER_STARTED'] = str(worker_id)


class StartedDataset(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> str:
        return os.environ['WORKER_STARTED']


def build(dataset: Dataset, **settings: object):
    sampler = dict(type='DefaultSampler', shuffle=False)
    return Runner.build_dataloader(
        dict(batch_size=1, num_workers=2, dataset=dataset, sampler=sampler, **settings), seed=3
    )


def test_a_worker_goes_on_when_interrupted():
    images = [
        (index.item(), worker.item()) for index, worker in build_default(InterruptedDataset())
    ]
    assert images == [(0, 0), (1, 1), (2, 0), (3, 1)]


def build_default(dataset: Dataset):
    return build(dataset, collate_fn=dict(type='default_collate'))


def test_the_configs_own_start_of_a_worker_is_kept():
    loader = build(StartedDataset(), worker_init_fn=dict(type=remember_seed))
    assert [name for (name,) in loader] == ['0', '1']


def test_a_dropped_connection_is_not_said():
    said = [
        subprocess.run(
            [sys.executable, '-c', HANG_UP, whose], capture_output=True, text=True, check=False
        ).stderr
        for whose in ('theirs', 'ours')
    ]
    assert 'EOFError' in said[0]
    assert 'EOFError' not in said[1]
    assert said[1].endswith('ValueError: anything else is said\n')
