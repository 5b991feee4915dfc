"""Reading a data set in another folder than the config's."""

import os
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.fileio import join_path

from mmdet.errors import UserError


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
