"""What tests of trainings as processes share."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest
from mmengine.config import Config

from tests.conftest import REPO
from tests.faults.sessions import Session, Start, members, written
from tests.faults.training import config


@pytest.fixture
def cfg(shapes_root, tmp_path) -> Config:
    """The training with much that is random; it logs each step."""
    cfg = config(shapes_root, tmp_path / 'w', workers=2)
    cfg.default_hooks = dict(
        logger=dict(type='LoggerHook', interval=1),
        checkpoint=dict(type='CheckpointHook', interval=99),
        sampler_seed=dict(type='DistSamplerSeedHook'),
    )
    cfg.log_level = 'INFO'
    cfg.model.neck.type = 'FPN'
    return cfg


@pytest.fixture
def settings(cfg, tmp_path) -> str:
    return written(cfg, tmp_path)


@pytest.fixture
def start(environment) -> Iterator[Start]:
    """Start a tool, or a script, in a process group of its own."""
    started = []

    def run(program: str, *arguments: object, **env: str) -> Session:
        mark = dict(TEST_SESSION=uuid4().hex)
        interpreter = 'bash' if program.endswith('.sh') else sys.executable
        process = Session(
            [interpreter, program, *map(str, arguments)],
            cwd=REPO,
            env=environment | env | mark,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        process.mark = f'TEST_SESSION={mark["TEST_SESSION"]}'
        started.append(process)
        return process

    yield run
    for process in started:
        for each in members(process):
            os.kill(each, signal.SIGKILL)
