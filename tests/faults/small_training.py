"""A training of seconds whose checkpoints are large, in a process that can be killed.

It runs with this project's classes, or with mmengine's own in their place, to compare.
"""

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

import torch
from mmengine.hooks import CheckpointHook as MMEngineHook
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader
from mmengine.runner import Runner as MMEngineRunner
from mmengine.runner.checkpoint import load_from_local
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmdet.engine.hooks import CheckpointHook
from mmdet.engine.runner import Runner
from mmdet.errors import exit_on_user_error

Kind = Literal['ours', 'mmengine']
KINDS: dict[str, tuple[type, type]] = dict(
    ours=(Runner, CheckpointHook), mmengine=(MMEngineRunner, MMEngineHook)
)
IMAGES = [dict(inputs=row) for row in torch.arange(12.0).view(4, 3)]


class Padded(BaseModel):
    """A model of four weights that takes megabytes to save."""

    def __init__(self, megabytes: int) -> None:
        super().__init__()
        self.line = nn.Linear(3, 1)
        self.register_buffer('padding', torch.zeros(megabytes << 20, dtype=torch.uint8))

    def forward(self, inputs: Tensor, mode: str) -> dict[str, Tensor]:
        return dict(loss=self.line(inputs).square().mean())


def build(
    kind: Kind,
    folder: Path,
    *,
    megabytes: int = 0,
    epochs: int = 3,
    custom_hooks: tuple = (),
    resume: bool = False,
    log_level: str = 'ERROR',
    **checkpoint: object,
) -> MMEngineRunner:
    """Return a runner in a folder; further arguments are those of the checkpoint hook."""
    runner_class, hook_class = KINDS[kind]
    settings = dict(interval=1, max_keep_ckpts=1) | checkpoint
    return runner_class(
        model=Padded(megabytes),
        work_dir=str(folder),
        experiment_name=str(folder),
        default_scope='mmdet',
        log_level=log_level,
        train_dataloader=DataLoader(IMAGES, batch_size=2),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.001, momentum=0.9)),
        default_hooks=dict(checkpoint=dict(type=hook_class, **settings)),
        custom_hooks=list(custom_hooks),
        resume=resume,
    )


def start(kind: Kind, work: Callable[[], object], *, output: Path) -> BaseProcess:
    """Run something in a process of its own, forked: it need not import everything again."""

    def run() -> None:
        warnings.simplefilter('ignore')
        with output.open('w', buffering=1) as sys.stdout:
            sys.stderr = sys.stdout
            if kind == 'mmengine':
                # Its loader as it was, and trustful, as it must be to load what it saved.
                CheckpointLoader.register_scheme('', loader=load_from_local, force=True)
                os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'
                work()
            else:
                with exit_on_user_error():
                    work()

    process = multiprocessing.get_context('fork').Process(target=run)
    process.start()
    return process


def soundness(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the checkpoints in a folder that can be loaded, and of those that cannot.

    It is torch alone that tries.
    """
    sound, broken = [], []
    for path in sorted(folder.glob('*.pth')):
        try:
            torch.load(path, weights_only=False)
            sound.append(path.name)
        except Exception:
            broken.append(path.name)
    return sound, broken
