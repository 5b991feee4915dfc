"""Several processes: how they are started, and what is said when one fails."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mmdet.engine.torchrun import nodes_of, threads_of_each
from mmdet.errors import UserError

# Starts two processes for each way to end that it is told of.
DRIVER = """
import json, sys
from pathlib import Path
from mmdet.engine.torchrun import launch, nodes_of

for how in sys.argv[1:]:
    Path(how).mkdir()
    print(json.dumps(launch('rank', [how], processes=2, nodes=nodes_of({}))), flush=True)
"""
# Process 0 ends only when it is stopped. Without torch: what its `record` would write is the file.
RANK = """
import json, os, signal, sys, time
from pathlib import Path

how, rank = sys.argv[1], os.environ['RANK']
Path(how, rank).write_text(os.environ['WORLD_SIZE'])
while len(list(Path(how).iterdir())) < 2:
    time.sleep(0.02)
if how == 'wait' or (how != 'well' and rank == '0'):
    time.sleep(100)
if how == 'mistake':
    said = {'message': 'UserError: look:\\nno annotations', 'extraInfo': {'timestamp': '1'}}
    Path(os.environ['TORCHELASTIC_ERROR_FILE']).write_text(json.dumps({'message': said}))
    print('error: no annotations', file=sys.stderr)
    sys.exit(2)
if how == 'kill':
    os.kill(os.getpid(), signal.SIGKILL)
if how == 'exit':
    sys.exit(3)
"""
ENDS = {
    'well': None,
    'mistake': ['rank 1 failed: no annotations', 2],
    'exit': ['rank 1 ended with exit code 3: see above', 3],
    'kill': [
        'rank 1 was killed by signal 9 (SIGKILL): the machine may have run out of memory',
        1,
    ],
}


def start(folder: Path, environment: dict[str, str], *ways: str) -> subprocess.Popen:
    (folder / 'driver.py').write_text(DRIVER)
    (folder / 'rank.py').write_text(RANK)
    return subprocess.Popen(
        [sys.executable, 'driver.py', *ways],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_first_failure_is_what_is_said(tmp_path, environment):
    process = start(tmp_path, environment, *ENDS)
    out, err = process.communicate(timeout=100)
    assert [json.loads(line) for line in out.splitlines()] == list(ENDS.values()), err
    assert '[rank 1] error: no annotations\n' in err
    for how in ENDS:
        assert [(tmp_path / how / rank).read_text() for rank in '01'] == ['2', '2']


def test_ctrl_c_stops_every_process_without_a_traceback(tmp_path, environment):
    process = start(tmp_path, environment, 'wait')
    while not (tmp_path / 'wait/0').exists() or not (tmp_path / 'wait/1').exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert json.loads(out) == ['stopped by SIGINT', 130], err
    ours = [line for line in err.splitlines() if not line.startswith('[rank')]
    assert not any('Traceback' in line for line in ours), err


def test_one_node_finds_a_free_port():
    assert nodes_of({})[:3] == (1, 0, '127.0.0.1')
    assert nodes_of({}).port > 0


def test_several_nodes_are_what_the_environment_says():
    environ = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1')
    assert nodes_of(environ) == (2, 1, '10.0.0.1', 29500)
    assert nodes_of({**environ, 'PORT': '4000'}).port == 4000


@pytest.mark.parametrize(
    'environ', [{'NNODES': 'two'}, {'NODE_RANK': '-1'}, {'PORT': 'http'}, {'PORT': '70000'}]
)
def test_what_is_no_number_is_named(environ):
    with pytest.raises(UserError, match=next(iter(environ))):
        nodes_of(environ)


def test_a_port_in_use_is_named():
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        with pytest.raises(UserError, match='in use'):
            nodes_of({'PORT': str(server.getsockname()[1])})


@pytest.mark.parametrize(
    ('gpus', 'threads'), [(0, max(1, len(os.sched_getaffinity(0)) // 2)), (2, 1)]
)
def test_processes_share_the_cores(monkeypatch, gpus, threads):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: gpus)
    assert threads_of_each(2) == threads


def test_no_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    with pytest.raises(UserError, match='NUM_GPUS is 4, but PyTorch sees 1'):
        threads_of_each(4)
