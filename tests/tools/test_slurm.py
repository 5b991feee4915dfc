"""tools/slurm_train.sh and tools/slurm_test.sh, against a stand-in for srun."""

import os
import socket
import subprocess
import sys

import pytest

from tests.conftest import REPO

# Notes its options, and starts as many processes as it is asked for with what SLURM tells them.
SRUN = """#!/usr/bin/env bash
while [[ $1 == -* ]]; do
    echo "$1" >>"$NOTES"
    [[ $1 != --ntasks=* ]] || number=${1#*=}
    shift
done
echo "$@" >>"$NOTES"
[[ -z ${ONLY_NOTES:-} ]] || exit 0
for ((i = 0; i < number; i++)); do
    SLURM_PROCID=$i SLURM_LOCALID=$i SLURM_NTASKS=$number SLURM_NODELIST=localhost "$@" &
done
status=0
for ((i = 0; i < number; i++)); do wait -n || status=$?; done
exit $status
"""


@pytest.fixture
def cluster(tmp_path, environment) -> dict[str, str]:
    srun = tmp_path / 'bin/srun'
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    return {
        **environment,
        'PATH': f'{srun.parent}{os.pathsep}{os.environ["PATH"]}',
        'PYTHON': sys.executable,
        'NOTES': str(tmp_path / 'notes'),
        'MASTER_PORT': str(port),
    }


def run(script: str, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        ['bash', f'tools/{script}', *arguments],
        cwd=REPO,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.long
def test_two_processes_train_and_test(config, shapes_root, cluster, tmp_path):
    once, work_dir = tmp_path / 'once.py', tmp_path / 'w'
    once.write_text(
        f"_base_ = '{config}'\n"
        "train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=1)\n"
        'val_cfg = val_dataloader = val_evaluator = None\n'
        'default_hooks = dict(checkpoint=dict(by_epoch=False))\n'
    )
    environment = {**cluster, 'GPUS': '2'}
    data = ('--data-root', str(shapes_root))
    ended = run(
        *('slurm_train.sh', 'part', 'job', str(once), str(work_dir), *data),
        environment=environment,
    )
    assert ended.returncode == 0, ended.stderr
    assert 'in each of 2 processes' in ended.stdout
    assert '1 steps with 8 images each' in ended.stdout
    ended = run(
        *('slurm_test.sh', 'part', 'job', config, str(work_dir / 'iter_1.pth'), *data),
        *('--work-dir', str(tmp_path / 't')),
        environment=environment,
    )
    assert ended.returncode == 0, ended.stderr
    assert 'in each of 2 processes' in ended.stdout
    assert (tmp_path / 't/metrics.json').is_file()


def test_how_a_training_is_asked_for(cluster, tmp_path):
    more = '--time=1-0 --signal=USR1@120'
    ended = run(
        *('slurm_train.sh', 'part', 'a job', 'c.py', 'w', '--amp', '--resume'),
        environment={**cluster, 'ONLY_NOTES': '1', 'GPUS': '2', 'SRUN_ARGS': more},
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / 'notes').read_text().splitlines() == [
        *('--partition=part', '--job-name=a job', '--gres=gpu:2', '--ntasks=2'),
        *('--ntasks-per-node=2', '--cpus-per-task=5', '--kill-on-bad-exit=1'),
        *('--time=1-0', '--signal=USR1@120'),
        f'{sys.executable} -u {REPO}/tools/train.py c.py --work-dir w --amp --resume '
        '--launcher slurm',
    ]


def test_how_a_test_is_asked_for(cluster, tmp_path):
    ended = run(
        *('slurm_test.sh', 'part', 'job', 'c.py', 'a b.pth', '--out', 'r.json'),
        environment={**cluster, 'ONLY_NOTES': '1', 'GPUS': '16', 'CPUS_PER_TASK': '3'},
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / 'notes').read_text().splitlines() == [
        *('--partition=part', '--job-name=job', '--gres=gpu:8', '--ntasks=16'),
        *('--ntasks-per-node=8', '--cpus-per-task=3', '--kill-on-bad-exit=1'),
        f'{sys.executable} -u {REPO}/tools/test.py c.py a b.pth --out r.json --launcher slurm',
    ]


@pytest.mark.parametrize('script', ['slurm_train.sh', 'slurm_test.sh'])
def test_mistakes(script, cluster, tmp_path):
    def last(*arguments: str, **variables: str) -> str:
        ended = run(script, *arguments, environment={**cluster, **variables})
        assert ended.returncode == 2
        return ended.stderr.splitlines()[-1]

    four = ('part', 'job', 'c.py', 'w')
    assert last(*four[:3]).startswith(f'error: usage: GPUS=N bash tools/{script} PARTITION ')
    assert last(*four, GPUS='0') == 'error: GPUS=0 is not a number from 1'
    assert last(*four, PATH='/usr/bin:/bin').startswith('error: there is no srun here')
    assert not (tmp_path / 'notes').exists()
    shown = run(script, '--help', environment=cluster)
    assert shown.returncode == 0 and 'GPUS_PER_NODE' in shown.stdout
