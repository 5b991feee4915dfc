import os
import socket
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.registry import HOOKS

from mmdet.engine.processes import leave_processes
from tests.models.heads.test_distributed import build, step


def noted(hook: Hook, losses: dict[str, torch.Tensor]) -> dict[str, float]:
    """Return what a hook notes of a step's losses."""
    hub = MessageHub.get_instance(f'hub of process {os.getpid()}')
    runner = SimpleNamespace(message_hub=hub, optim_wrapper=None)
    hook.after_train_iter(runner, 0, outputs=losses)
    return {key: float(hub.get_scalar(f'train/{key}').current()) for key in losses}


def process(rank: int, config: dict, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    dist.init_process_group('gloo', rank=rank, world_size=2)
    model = build(config)
    losses = step(model, model.data_preprocessor, slice(2 * rank, 2 * rank + 2))
    # By the name under which every runner asks for it.
    hook = HOOKS.build(dict(type='RuntimeInfoHook'))
    result = dict(noted=noted(hook, losses), own={k: v.item() for k, v in losses.items()})
    torch.save(result, f'{folder}/{rank}.pth')
    leave_processes()


def test_two_processes_note_the_losses_of_one(tiny_model, tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    mp.spawn(process, (tiny_model, port, str(tmp_path)), nprocs=2)
    results = [torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1)]
    model = build(tiny_model)
    alone = step(model, model.data_preprocessor, slice(None))
    for name, value in alone.items():
        for result in results:
            assert result['noted'][name] == pytest.approx(value.item(), rel=1e-5)
            assert result['own'][name] != pytest.approx(value.item(), rel=1e-4)


def test_one_process_notes_its_own_and_changes_nothing():
    loss = torch.tensor(2.0, requires_grad=True) * 2
    losses = dict(loss=loss, acc=50, count=torch.tensor(3))
    assert noted(HOOKS.build(dict(type='RuntimeInfoHook')), losses) == dict(
        loss=4.0, acc=50, count=3
    )
    assert losses == dict(loss=loss, acc=50, count=torch.tensor(3))
