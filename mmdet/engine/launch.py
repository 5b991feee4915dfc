"""From a command line to a runner: what tools/train.py and tools/test.py share."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config, ConfigDict, DictAction
from mmengine.fileio import join_path

from mmdet.errors import UserError
from mmdet.ops import warn_of_slow_ops

from .config_check import check_config
from .processes import start_processes
from .runner import Runner


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and testing share."""
    parser.add_argument('--work-dir', help='folder for logs, checkpoints and metrics')
    parser.add_argument('--data-root', help='the data set, in the layout that the config expects')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config: a.b=1 c="[1,2]" d="(3,4)"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed job',
    )
    # torch.distributed.launch passes it on.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def load_config(args: argparse.Namespace) -> Config:
    """Return the config that the common arguments describe, checked.

    Raises:
        UserError: the file or one of its settings is not as it should be.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = _read_config(args.config)
    if args.cfg_options:
        try:
            cfg.merge_from_dict(args.cfg_options)
        except (TypeError, KeyError, IndexError) as error:
            raise UserError(f'--cfg-options do not fit {args.config}: {error}') from None
    _name_loop_once(cfg)
    cfg.setdefault('default_scope', 'mmdet')
    cfg.launcher = args.launcher
    cfg.work_dir = (
        args.work_dir or cfg.get('work_dir') or os.path.join('work_dirs', Path(args.config).stem)
    )
    if args.data_root:
        set_data_root(cfg, args.data_root)
    check_config(cfg.to_dict())
    return cfg


def _read_config(path: str) -> Config:
    if not Path(path).is_file():
        raise UserError(f'config {path} does not exist; the shipped ones are in configs/')
    try:
        return Config.fromfile(path)
    except FileNotFoundError as error:
        raise UserError(f'config {path}: {error}') from None
    except Exception as error:  # a config is a program: anything may go wrong in it
        raise UserError(f'config {path} cannot be read: {type(error).__name__}: {error}') from None


def _name_loop_once(cfg: Config) -> None:
    """Take `by_epoch` out of a `train_cfg` whose `type` says the same; mmengine refuses both.

    mmdetection's SOLOv2-light configs inherit the one and add the other.
    """
    train_cfg = cfg.get('train_cfg') or {}
    if 'type' not in train_cfg or 'by_epoch' not in train_cfg:
        return
    by_epoch = train_cfg.pop('by_epoch')
    if train_cfg.type != ('EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop'):
        raise UserError(
            f'train_cfg: type={train_cfg.type!r} and by_epoch={by_epoch} contradict each other: '
            'leave one of them out'
        )


def set_data_root(cfg: Config, data_root: str) -> None:
    """Point every data set and evaluator of a config at another root, in place.

    Raises:
        UserError: the folder does not exist.
    """
    if not Path(data_root).is_dir():
        raise UserError(f'--data-root {data_root} is not a folder')
    old_roots = set()
    for dataset in _datasets(cfg):
        old_roots.add(dataset.get('data_root') or '')
        dataset.data_root = data_root
    for key in ('val_evaluator', 'test_evaluator'):
        evaluators = cfg.get(key) or []
        for evaluator in [evaluators] if isinstance(evaluators, dict) else evaluators:
            ann_file = evaluator.get('ann_file')
            root = next((old for old in old_roots if old and str(ann_file).startswith(old)), None)
            if ann_file and root:
                relative = os.path.relpath(ann_file, root)
                evaluator.ann_file = join_path(data_root, relative)


def _datasets(cfg: Config) -> Iterator[ConfigDict]:
    """Yield the innermost data sets of all loaders."""

    def innermost(dataset: ConfigDict) -> Iterator[ConfigDict]:
        inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
        if not inner:
            yield dataset
        for each in inner:
            yield from innermost(each)

    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(loader):
            yield from innermost(cfg[loader].dataset)


def build_runner(cfg: Config) -> Runner:
    """Start the process group if there is more than one process, and build the runner.

    Raises:
        UserError: there are fewer GPUs than processes on this machine.
    """
    if cfg.launcher != 'none':
        start_processes(cfg)
    runner = Runner.from_cfg(cfg)
    warn_of_slow_ops(next(runner.model.parameters()).device.type)
    return runner
