"""One process a GPU, started by torchrun; a failure ends in one line that says whose and why."""

import os
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NamedTuple

import torch
from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from mmdet.errors import UserError

from .restart import note_launch
from .signals import STOPPING


class Nodes(NamedTuple):
    """The machines of a job.

    Attributes:
        number: how many.
        rank: which one this is, from 0.
        address: of node 0.
        port: a free one of node 0.
    """

    number: int
    rank: int
    address: str
    port: int


class Failure(NamedTuple):
    """How a job ended that did not end well.

    Attributes:
        message: one line.
        code: the exit code.
    """

    message: str
    code: int


def nodes_of(environ: Mapping[str, str]) -> Nodes:
    """Return what NNODES, NODE_RANK, MASTER_ADDR and PORT say; one node finds a port by itself.

    Raises:
        UserError: one of them is no number, or the port of a single node is in use.
    """

    def number(name: str, default: int) -> int:
        value = environ.get(name) or str(default)
        if not value.isdecimal():
            raise UserError(f'{name} is {value!r}, not a number')
        return int(value)

    nodes = Nodes(
        number=number('NNODES', 1),
        rank=number('NODE_RANK', 0),
        address=environ.get('MASTER_ADDR') or '127.0.0.1',
        port=number('PORT', 29500),
    )
    if nodes.number == 1:
        return nodes._replace(port=_free_port(nodes.port if environ.get('PORT') else 0))
    return nodes


def _free_port(wanted: int) -> int:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(('127.0.0.1', wanted))
        except (OSError, OverflowError):
            raise UserError(
                f'PORT={wanted} is in use or is no port: name another, or unset it to have a free '
                'one found'
            ) from None
        return server.getsockname()[1]


def threads_of_each(processes: int) -> int:
    """Return how many threads a process takes: one where GPUs work, else its share of the cores.

    Raises:
        UserError: there are fewer GPUs than processes on this machine.
    """
    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        visible = os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')
        raise UserError(
            f'NUM_GPUS is {processes}, but PyTorch sees {gpus} here '
            f'(CUDA_VISIBLE_DEVICES is {visible})'
        )
    return 1 if gpus else max(1, len(os.sched_getaffinity(0)) // processes)


class _Forwarding:
    """Ends the processes as this one is asked to end, once.

    A signal is forwarded to the processes, which have 30 seconds. Ctrl-C is forwarded as SIGTERM:
    a terminal may have sent it to all of them, and another would be a second Ctrl-C to them. While
    they end, torchrun must not be disturbed, or it would leave them behind: a second Ctrl-C here
    is one to them.

    Attributes:
        by: the signal, if there was one.
    """

    SIGNALS = (*STOPPING, signal.SIGHUP)

    def __init__(self) -> None:
        self.by: signal.Signals | None = None

    def __enter__(self) -> '_Forwarding':
        self._before = {number: signal.signal(number, self._forward) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _forward(self, number: int, frame: FrameType | None) -> None:
        if self.by is None:
            self.by = signal.Signals(number)
            forwarded = signal.SIGTERM if number == signal.SIGINT else self.by
            raise SignalException(f'stopped by {self.by.name}', sigval=forwarded)
        if number == signal.SIGINT:
            for child in _children():
                os.kill(child, number)


def _children() -> list[int]:
    """Return the processes that the main thread started, where the system says it (Linux)."""
    listed = Path(f'/proc/self/task/{os.getpid()}/children')
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def launch(
    module: str,
    arguments: Sequence[str],
    *,
    processes: int,
    nodes: Nodes,
    max_restarts: int = 0,
) -> Failure | None:
    """Run a module as a program in several processes, and wait for them.

    Each has its rank before each line that it writes to stderr. Which one failed first, and of
    what, is what its `torch.distributed.elastic.multiprocessing.errors.record` noted.

    Args:
        module: the name of a Python module, which takes `--launcher pytorch`.
        arguments: its command line.
        processes: how many on this node.
        nodes: the machines of the job.
        max_restarts: how often all are started anew after one failed.
    """
    note_launch(os.environ)
    if max_restarts:
        os.environ['TORCH_DISABLE_SHARE_RDZV_TCP_STORE'] = '1'  # see `_meeting`
    with TemporaryDirectory(prefix='torchrun-') as logs, _Forwarding() as forwarding:
        args = torchrun.parse_args(
            [
                *('--nnodes', str(nodes.number), *_meeting(nodes, max_restarts)),
                *('--max-restarts', str(max_restarts), '--signals-to-handle', 'SIGQUIT'),
                *('--nproc-per-node', str(processes), '--log-dir', logs, '--tee', '2'),
                *('--module', module),
                *arguments,
            ]
        )
        args.log_line_prefix_template = '[rank ${rank}] '
        try:
            torchrun.run(args)
        except ChildFailedError as error:
            return _first_failure(error)
        except SignalException as stopped:
            by = forwarding.by or stopped.sigval
            return Failure(f'stopped by {by.name}', 128 + by)
    return None


def _meeting(nodes: Nodes, max_restarts: int) -> list[str]:
    """Return the options of torchrun by which the processes find each other.

    In a store that torchrun keeps, those of a restart find the addresses of the processes before
    them, which are gone. c10d's rendezvous, which numbers the nodes itself, can do without.
    """
    if max_restarts == 0:
        return [
            *('--node-rank', str(nodes.rank)),
            *('--master-addr', nodes.address, '--master-port', str(nodes.port)),
        ]
    return [
        *('--rdzv-backend', 'c10d', '--rdzv-id', f'mmdet-{nodes.port}'),
        *('--rdzv-endpoint', f'{nodes.address}:{nodes.port}'),
        *('--rdzv-conf', f'is_host={nodes.rank == 0}'),
    ]


def _first_failure(error: ChildFailedError) -> Failure:
    rank, failure = error.get_first_failure()
    if failure.exitcode - 128 in STOPPING:
        return Failure(
            f'stopped by {signal.Signals(failure.exitcode - 128).name}', failure.exitcode
        )
    if failure.exitcode < 0:
        reason = f'was killed by signal {-failure.exitcode} ({failure.signal_name()})'
        if failure.signal_name() == 'SIGKILL':
            reason += ': the machine may have run out of memory'
        return Failure(f'rank {rank} {reason}', 1)
    if isinstance(failure.message, dict):
        said = failure.message['message'].strip().splitlines()[-1]
        reason = f'failed: {said.removeprefix(f"{UserError.__name__}: ")}'
    else:
        reason = f'ended with exit code {failure.exitcode}: see above'
    return Failure(f'rank {rank} {reason}', failure.exitcode)
