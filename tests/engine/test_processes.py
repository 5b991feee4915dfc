import os
import socket
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config

from mmdet.engine.processes import first_host, start_processes, torch_variables
from mmdet.errors import UserError

SLURM = dict(SLURM_PROCID='5', SLURM_NTASKS='8', SLURM_LOCALID='1', SLURM_JOB_ID='7120034')
OPEN_MPI = dict(
    OMPI_COMM_WORLD_RANK='1',
    OMPI_COMM_WORLD_SIZE='2',
    OMPI_COMM_WORLD_LOCAL_RANK='1',
    OMPI_COMM_WORLD_LOCAL_SIZE='2',
)
PROCESS = """
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmdet.engine.processes import start_processes
cfg = Config(dict(launcher='{launcher}'))
start_processes(cfg)
ranks = torch.tensor([dist.get_rank() + 1])
dist.all_reduce(ranks)
print(dist.get_rank(), dist.get_backend(), ranks.item(), cfg.launcher)
dist.destroy_process_group()
"""


def free_port() -> str:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


@pytest.mark.parametrize(
    ('launcher', 'variables'),
    [
        (
            'slurm',
            dict(
                SLURM_PROCID='{}',
                SLURM_NTASKS='2',
                SLURM_LOCALID='{}',
                SLURM_NODELIST='localhost,other[1-2]',
            ),
        ),
        (
            'mpi',
            dict(
                OMPI_COMM_WORLD_RANK='{}',
                OMPI_COMM_WORLD_SIZE='2',
                OMPI_COMM_WORLD_LOCAL_RANK='{}',
                OMPI_COMM_WORLD_LOCAL_SIZE='2',
            ),
        ),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason='with a GPU the runner joins the processes')
def test_two_tasks_meet(environment, launcher, variables):
    port = free_port()
    tasks = [
        subprocess.Popen(
            [sys.executable, '-c', PROCESS.format(launcher=launcher)],
            env={
                **environment,
                **{name: value.format(rank) for name, value in variables.items()},
                'MASTER_PORT': port,
                'LOCAL_RANK': '0',  # as the option --local-rank leaves it
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    printed = [task.communicate(timeout=120)[0] for task in tasks]
    assert printed == ['0 gloo 3 pytorch\n', '1 gloo 3 pytorch\n']


def test_slurms_variables_become_torchs():
    variables = torch_variables('slurm', {**SLURM, 'SLURM_NODELIST': 'n[3-4]'})
    assert variables == dict(
        RANK='5', WORLD_SIZE='8', LOCAL_RANK='1', MASTER_ADDR='n3', MASTER_PORT='15034'
    )
    given = dict(MASTER_ADDR='10.0.0.1', MASTER_PORT='1234')
    assert not torch_variables('slurm', {**SLURM, **given}).keys() & given.keys()


def test_open_mpis_variables_become_torchs():
    assert torch_variables('mpi', OPEN_MPI) == dict(
        RANK='1', WORLD_SIZE='2', LOCAL_RANK='1', MASTER_ADDR='127.0.0.1', MASTER_PORT='29500'
    )
    several_machines = {**OPEN_MPI, 'OMPI_COMM_WORLD_LOCAL_SIZE': '1'}
    with pytest.raises(UserError, match='--launcher mpi: set MASTER_ADDR'):
        torch_variables('mpi', several_machines)
    assert torch_variables('mpi', {**several_machines, 'MASTER_ADDR': 'a'})['RANK'] == '1'


@pytest.mark.parametrize(
    ('launcher', 'complaint'),
    [
        ('pytorch', 'RANK, WORLD_SIZE, LOCAL_RANK is not set: start the processes with torchrun'),
        ('slurm', 'SLURM_LOCALID is not set: start the processes with srun'),
        ('mpi', 'OMPI_COMM_WORLD_LOCAL_RANK is not set: start the processes with Open MPI'),
    ],
)
def test_a_process_that_was_not_launched(launcher, complaint):
    with pytest.raises(UserError, match=f'--launcher {launcher}, but .*{complaint}'):
        torch_variables(launcher, {})


@pytest.mark.parametrize(
    ('nodes', 'first'),
    [
        ('node1', 'node1'),
        ('node[07-12,3]', 'node07'),
        ('node[5,7-9],other', 'node5'),
        ('a-b[2]-c.cluster,x[1-2]', 'a-b2-c.cluster'),
        ('rack[1-2]n[03-04]', 'rack1n03'),
        ('a,b[1-2]', 'a'),
    ],
)
def test_the_first_host_without_scontrol(monkeypatch, nodes, first):
    monkeypatch.setenv('PATH', '')
    assert first_host(nodes) == first


@pytest.mark.parametrize(('ending', 'first'), [('exit 0', 'from-scontrol'), ('exit 1', 'a1')])
def test_the_first_host_with_scontrol(monkeypatch, tmp_path, ending, first):
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text(f'#!/bin/sh\nprintf "from-scontrol\\nb\\n"\n{ending}\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    assert first_host('a[1-2]') == first


def test_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    for name, value in dict(RANK='0', WORLD_SIZE='3', LOCAL_RANK='0', LOCAL_WORLD_SIZE='3').items():
        monkeypatch.setenv(name, value)
    for name in ('MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, '1')
    with pytest.raises(UserError, match='3 processes were asked for, but this machine has 2 GPUs'):
        start_processes(Config(dict(launcher='pytorch')))


def test_a_task_of_slurms_that_sees_its_own_gpu_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    for name, value in {**SLURM, 'SLURM_NODELIST': 'a', 'LOCAL_RANK': ''}.items():
        monkeypatch.setenv(name, value)
    names = ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT', 'LOCAL_WORLD_SIZE')
    for name in (*names, 'OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        monkeypatch.setenv(name, '1')  # so that the test leaves none behind
    cfg = Config(dict(launcher='slurm', find_unused_parameters=True))
    start_processes(cfg)
    wrapper = cfg.model_wrapper_cfg
    assert wrapper.type == 'MMDistributedDataParallel'
    assert wrapper.find_unused_parameters and 'device_ids' not in wrapper  # as mmengine chooses
    assert (os.environ['RANK'], os.environ['LOCAL_RANK']) == ('5', '0')
