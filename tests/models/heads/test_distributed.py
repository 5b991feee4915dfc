"""Two processes take the step that one takes with all their images."""

import os
import socket
import warnings

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from mmdet.engine.processes import leave_processes
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from tests.samples import batch_of, sample_of


def build(config: dict) -> torch.nn.Module:
    register_all_modules()
    torch.manual_seed(0)
    model = MODELS.build(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    return model.train()


def step(model: torch.nn.Module, preprocessor: torch.nn.Module, images: slice) -> dict:
    torch.manual_seed(1)
    # Five objects, none and one: the processes differ in their numbers of positives.
    batch = batch_of(
        [
            sample_of([(8, 8, 40, 40), (50, 20, 90, 80), (0, 0, 128, 96), (90, 5, 120, 30)]),
            sample_of([]),
            sample_of([(30, 30, 70, 70)], [2]),
            sample_of([]),
        ]
    )
    batch = {key: value[images] for key, value in batch.items()}
    losses = model(**preprocessor(batch, True), mode='loss')
    sum(losses.values()).backward()
    return {name: value.detach() for name, value in losses.items()}


def worker(rank: int, config: dict, port: int, folder: str) -> None:
    os.environ |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    warnings.filterwarnings('error', 'Grad strides do not match')
    dist.init_process_group('gloo', rank=rank, world_size=2)
    model = build(config)
    # As the runner does it: an unused parameter would be an error.
    wrapped = DistributedDataParallel(model, broadcast_buffers=False)
    losses = step(wrapped, model.data_preprocessor, slice(2 * rank, 2 * rank + 2))
    for value in losses.values():
        dist.all_reduce(value)
    grads = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    if rank == 0:
        losses = {name: value / 2 for name, value in losses.items()}
        torch.save(dict(losses=losses, grads=grads), f'{folder}/two.pth')
    del wrapped
    leave_processes()


def test_losses_and_gradients_are_those_of_one_process(tiny_model, tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    mp.spawn(worker, (tiny_model, port, str(tmp_path)), nprocs=2)
    two = torch.load(tmp_path / 'two.pth')
    model = build(tiny_model)
    losses = step(model, model.data_preprocessor, slice(None))
    assert losses['loss_mask'] > 0
    for name, value in losses.items():
        assert two['losses'][name].item() == pytest.approx(value.item(), rel=1e-5)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(two['grads'][name], parameter.grad, rtol=1e-3, atol=1e-6)
