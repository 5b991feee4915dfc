"""From a command line to a config: the file, what the options change in it, and the check."""

import argparse
import os
from pathlib import Path

import yaml
from mmengine.config import Config

from mmdet.errors import UserError

from .as_data import SUFFIXES, refuse_code, why_unreadable
from .check import DEFAULT_HOOKS, check_config
from .data_root import set_data_root
from .overrides import CfgOptions, merge_options
from .shipped import find_config


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and testing share."""
    parser.add_argument('--work-dir', help='folder for logs, checkpoints and metrics')
    add_config_arguments(parser)
    add_launcher_arguments(parser)


def add_launcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what started this process."""
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed job',
    )
    # torch.distributed.launch passes it on.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that change a config.

    `load_config` reads others as well: where a tool does not add them, nothing is launched, and the
    work directory is the config's.
    """
    parser.set_defaults(work_dir=None, launcher='none', local_rank=0)
    parser.add_argument('--data-root', help='the data set, in the layout that the config expects')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        metavar='KEY=VALUE',
        help='override settings of the config: a.b=1 c="[1,2]" d="(3,4)"',
    )


def load_config(args: argparse.Namespace) -> Config:
    """Return the config that the common arguments describe, checked.

    Its `work_dir` is where everything of the run goes, and is decided here alone: the option's,
    else the config's own, else `work_dirs/` and the file's name.

    Raises:
        UserError: the file or some of its settings are not as they should be.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config)
    problems = merge_options(cfg, args.cfg_options or {}, source=args.config)
    _name_loop_once(cfg)
    _drop_absent_hooks(cfg)
    # mmengine's configs in pure Python have None: what the tools add is named as in this project.
    cfg.default_scope = cfg.get('default_scope') or 'mmdet'
    cfg.launcher = args.launcher
    cfg.work_dir = (
        args.work_dir or cfg.get('work_dir') or os.path.join('work_dirs', Path(cfg.filename).stem)
    )
    if args.data_root:
        set_data_root(cfg, args.data_root)
    check_config(cfg.to_dict(), source=args.config, found=problems)
    return cfg


def read_config(name: str) -> Config:
    """Read a config: a file, or a shipped one by its name, see `find_config`.

    One in Python is a program, and is run. One in YAML or JSON is data, see `as_data.py`; what it
    inherits from may be a program.

    Raises:
        UserError: there is none, it cannot be read, or it is to be data and names code.
    """
    path = str(find_config(name))
    is_data = path.endswith(SUFFIXES)
    try:
        cfg = Config.fromfile(path, import_custom_modules=not is_data)
    except FileNotFoundError as error:
        raise UserError(f'config {path}: {error}') from None
    except yaml.YAMLError as error:
        raise UserError(f'config {path} cannot be read: {why_unreadable(error)}') from None
    except Exception as error:  # a config is a program: anything may go wrong in it
        reason = f'{type(error).__name__}: {error}'
        if isinstance(error, ModuleNotFoundError) and error.name == 'pkg_resources':
            # mmengine 0.10 asks it where a package is; setuptools 82 has it no longer.
            reason = "for 'mmdet::' in it pip install 'setuptools<82', or name a file by its path"
        raise UserError(f'config {path} cannot be read: {reason}') from None
    if is_data:
        refuse_code(cfg.to_dict(), source=path)
    return cfg


def _name_loop_once(cfg: Config) -> None:
    """Take `by_epoch` out of a `train_cfg` whose `type` says the same; mmengine refuses both.

    mmdetection's SOLOv2-light configs inherit the one and add the other.
    """
    train_cfg = cfg.get('train_cfg') or {}
    if 'type' not in train_cfg or 'by_epoch' not in train_cfg:
        return
    by_epoch = train_cfg.pop('by_epoch')
    if train_cfg['type'] != ('EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop'):
        raise UserError(
            f'train_cfg: type={train_cfg["type"]!r} and by_epoch={by_epoch} contradict each other: '
            'leave one of them out'
        )


def _drop_absent_hooks(cfg: Config) -> None:
    """Take hooks that are None out of `default_hooks`; mmengine lets only its own be None."""
    hooks = cfg.get('default_hooks')
    for name in list(hooks) if isinstance(hooks, dict) else ():
        if hooks[name] is None and name not in DEFAULT_HOOKS:
            del hooks[name]
