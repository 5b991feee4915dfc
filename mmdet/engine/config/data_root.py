"""Reading a data set in another folder than the config's."""

import posixpath
from itertools import chain
from pathlib import Path

from mmengine.config import Config
from mmengine.fileio import join_path
from mmengine.utils import is_abs

from mmdet.errors import UserError

from .parts import datasets_of, metrics_of


def set_data_root(cfg: Config, data_root: str) -> None:
    """Point every data set and evaluator of a config at another root, in place.

    What a data set or an evaluator names within an old root is looked for within the new one; of
    nested roots, the innermost counts. The old roots are those of the data sets, and `data_root` at
    the top of the config, for data sets that have none.

    Raises:
        UserError: the folder does not exist.
    """
    if not Path(data_root).is_dir():
        raise UserError(f'--data-root {data_root} is not a folder')
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    datasets = [dataset for loader in loaders for dataset in datasets_of(cfg.get(loader))]
    roots = {dataset.get('data_root') for dataset in datasets} | {cfg.get('data_root')}
    roots = {root for root in roots if isinstance(root, str) and root}
    for dataset in datasets:
        _move(dataset, ('ann_file',), roots, has_root=bool(dataset.get('data_root')))
        prefixes = dataset.get('data_prefix') or {}
        _move(prefixes, tuple(prefixes), roots, has_root=bool(dataset.get('data_root')))
        dataset['data_root'] = data_root
    evaluators = ('val_evaluator', 'test_evaluator')
    for metric in chain.from_iterable(metrics_of(cfg.get(key)) for key in evaluators):
        ann_file = metric.get('ann_file')
        if isinstance(ann_file, str) and (relative := _relative(ann_file, roots)) != ann_file:
            metric['ann_file'] = join_path(data_root, relative)


def _move(node: dict, keys: tuple[str, ...], roots: set[str], *, has_root: bool) -> None:
    """Make paths of a data set, in place, relative to its root, where they are not yet.

    Those of one that has a root are relative to that, unless they are absolute.
    """
    for key in keys:
        path = node.get(key)
        if isinstance(path, str) and path and (is_abs(path) or not has_root):
            node[key] = _relative(path, roots)


def _relative(path: str, roots: set[str]) -> str:
    """Return a path from the innermost of the roots that hold it; itself if none does."""
    parts = _parts(path)
    inside = [root for root in map(_parts, roots) if parts[: len(root)] == root]
    if not inside:
        return path
    rest = '/'.join(parts[max(map(len, inside)) :])
    return f'{rest}/' if path.endswith('/') and rest else rest


def _parts(path: str) -> list[str]:
    return posixpath.normpath(path).split('/')
