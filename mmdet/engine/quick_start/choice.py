"""Which config is trained, on what, from which folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from mmdet.engine.config import find_config

from .coco import find_coco, how_to_get_coco
from .own_config import config_for

COCO_CONFIG = 'configs/solo/solo_r50_fpn_1x_coco.py'
GPU_CONFIG = 'configs/solo/solo_r18_fpn_shapes.py'
CPU_CONFIG = 'configs/solo/solo_r18_fpn_shapes-cpu.py'


class Machine(NamedTuple):
    """What a choice depends on.

    Attributes:
        has_gpu: PyTorch sees one.
        has_bfloat16: the CPU computes with it, rather than emulating it in more time than
            float32 takes.
    """

    has_gpu: bool
    has_bfloat16: bool


class Choice(NamedTuple):
    """What to train.

    Attributes:
        config: the config's file, seen from `folder`, or its name.
        options: those of tools/train.py.
        folder: the working directory: `data/` and `work_dirs/` are in it.
        reason: what to tell the user.
    """

    config: str
    options: list[str]
    folder: Path
    reason: str


def this_machine(cpuinfo: Path = Path('/proc/cpuinfo')) -> Machine:
    """Return what this machine has."""
    has_bfloat16 = cpuinfo.is_file() and 'bf16' in cpuinfo.read_text()
    return Machine(has_gpu=torch.cuda.is_available(), has_bfloat16=has_bfloat16)


def folder_of(config: str, *, here: Path, repo: Path) -> Path:
    """Return the folder whose `data/` and `work_dirs/` a config is trained with.

    That is `here` for a file that is seen from here, and the repository's root for one of the
    repository, or for a shipped one by its name.

    Raises:
        UserError: there is no such config.
    """
    if (here / config).is_file():
        return here
    if not (repo / config).is_file():
        find_config(config)
    return repo


def choose(
    arguments: Sequence[str], *, here: Path, repo: Path, coco_root: str | None, machine: Machine
) -> Choice:
    """Choose what to train from the command line of `train.sh`, `[CONFIG | FOLDER] [options]`.

    For a folder of data a config is written, see `own_config.py`. Without either it is SOLO R50 on
    COCO where COCO is, else SOLO R18 on the embedded data set: the network for a GPU where there is
    one.

    Args:
        arguments: the command line.
        here: the working directory.
        repo: the repository's root.
        coco_root: the folder that the user says COCO is in.
        machine: what it has.

    Raises:
        UserError: there is no such config, the folder's data cannot be used, or only a part of COCO
            is there.
    """
    if arguments and not arguments[0].startswith('-'):
        config, *options = arguments
        if (here / config).is_dir():
            work_dirs = here / 'work_dirs'
            path, reason = config_for(here / config, work_dirs=work_dirs, has_gpu=machine.has_gpu)
            amp = ['--amp'] * (not machine.has_gpu and machine.has_bfloat16)
            return Choice(str(path), [*amp, *options], here, reason)
        folder = folder_of(config, here=here, repo=repo)
        return Choice(config, options, folder, f'training {config}')

    options = list(arguments)
    if coco_root:
        root = (here / coco_root).resolve()
        find_coco(root, name=f'COCO_ROOT={coco_root}', needed=True)
        options = ['--data-root', str(root), *options]
        return Choice(COCO_CONFIG, options, repo, f'COCO found in {root}\ntraining {COCO_CONFIG}')
    root = repo / 'data/coco'
    if find_coco(root, name='data/coco', needed=False):
        return Choice(COCO_CONFIG, options, repo, f'COCO found in {root}\ntraining {COCO_CONFIG}')

    config = GPU_CONFIG if machine.has_gpu else CPU_CONFIG
    reason = f'{how_to_get_coco(root)}\ntraining {config}'
    if not machine.has_gpu and machine.has_bfloat16:
        options = ['--amp', *options]
        reason += ' --amp: this CPU computes with bfloat16'
    return Choice(config, options, repo, reason)
