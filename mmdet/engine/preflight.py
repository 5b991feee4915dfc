"""The files and folders of a run, looked at before anything is built: are they there?

This is cheap, and finds at once what would otherwise come up one by one, some of it after an epoch.
What only reading tells (is an annotation file complete, are its classes the data set's) the data
sets say when they are built, and the metrics when `PreflightHook` asks them; both before the first
step.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.fileio import LocalBackend, join_path
from mmengine.utils import is_abs

from mmdet.datasets import CocoDataset, ShapesDataset
from mmdet.datasets.coco_file import LAYOUT
from mmdet.datasets.file_backend import file_backend
from mmdet.datasets.shapes import is_free
from mmdet.datasets.transforms import LoadImageFromFile
from mmdet.datasets.transforms.loading import as_backend_args
from mmdet.errors import UserError
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS, TRANSFORMS
from mmdet.utils.files import check_folder

from .config import datasets_of, is_a, metrics_of


def check_files(cfg: Config, stages: Sequence[str], *, folders: Sequence[str] = ()) -> None:
    """Look for all that a run will read, and whether it can write where it will.

    Files on other storage than a local disk are not looked for.

    Args:
        cfg: the run's config.
        stages: of `train`, `val` and `test`, those that the run has.
        folders: where the run writes, beside its work directory.

    Raises:
        UserError: something is missing, or cannot be read or written; the last line says the
            first, and how many they are.
    """
    missing = [problem for stage in stages for problem in _missing_data(cfg, stage)]
    pickled = [problem for stage in stages for problem in _pickled_data(cfg, stage)]
    # Two loaders may read one file.
    problems = list(dict.fromkeys([*missing, *pickled, *_missing_weights(cfg)]))
    for folder in (cfg.work_dir, *folders):
        problems += _not_writable(Path(folder))
    if not problems:
        return
    lines = [*([LAYOUT] if missing else []), *(problems if len(problems) > 1 else [])]
    many = f'{len(problems)} files and folders are amiss; the first: ' if problems[1:] else ''
    raise UserError('\n'.join([*lines, many + problems[0]]))


def _missing_data(cfg: Config, stage: str) -> Iterator[str]:
    datasets = [
        dataset
        for dataset in datasets_of(cfg.get(f'{stage}_dataloader'))
        if is_a(dataset, DATASETS, CocoDataset)
    ]
    # Nothing needs to be in a folder that the embedded data set is going to draw itself into.
    drawn = [
        Path(dataset['data_root'])
        for dataset in datasets
        if is_a(dataset, DATASETS, ShapesDataset) and is_free(Path(dataset['data_root']))
    ]
    paths: list[tuple[str, str, dict | None]] = []
    for dataset in datasets:
        folder = _in_root(dataset, (dataset.get('data_prefix') or {}).get('img', ''))
        ann_file = _in_root(dataset, dataset.get('ann_file', ''))
        kind = _class_of(dataset).ANN_FILE
        paths.append((ann_file, kind, dataset.get('backend_args')))
        paths.append((folder, 'image folder', image_backend(dataset)))
    if stage != 'train':
        metrics = metrics_of(cfg.get(f'{stage}_evaluator'))
        coco = (metric for metric in metrics if is_a(metric, METRICS, CocoMetric))
        paths += [(m.get('ann_file') or '', 'annotation file', m.get('backend_args')) for m in coco]
    for path, kind, backend_args in paths:
        inside = {Path(path), *Path(path).parents}
        if path and _is_local(path, backend_args) and not inside.intersection(drawn):
            yield from _not_readable(Path(path), kind)


def _pickled_data(cfg: Config, stage: str) -> Iterator[str]:
    """Yield the annotation files that mmengine's own `load_data_list` would run.

    What a class of the user's reads is its own business.
    """
    for dataset in datasets_of(cfg.get(f'{stage}_dataloader')):
        path = str(dataset.get('ann_file', ''))
        if not path.endswith(('.pkl', '.pickle')) or not is_a(dataset, DATASETS, BaseDataset):
            continue
        readers = BaseDataset.load_data_list, CocoDataset.load_data_list
        if getattr(_class_of(dataset), 'load_data_list', None) in readers:
            yield (
                f'annotation file {path} is a pickle, which runs whatever code is in it: '
                'convert it to JSON'
            )


def _class_of(dataset: Mapping) -> Any:
    kind = dataset['type']
    return DATASETS.get(kind) if isinstance(kind, str) else kind


def _in_root(dataset: Mapping, path: str) -> str:
    """Return a data set's path as mmengine's `BaseDataset` finds it."""
    root = dataset.get('data_root')
    return str(join_path(root, path)) if root and not is_abs(path) else path


def image_backend(dataset: Mapping) -> dict | None:
    """Return the `backend_args` that a data set's images are read with."""
    for step in dataset.get('pipeline') or ():
        if isinstance(step, Mapping) and is_a(step, TRANSFORMS, LoadImageFromFile):
            return step.get('backend_args') or as_backend_args(step.get('file_client_args'))
    return dataset.get('backend_args')


def _is_local(path: str, backend_args: dict | None) -> bool:
    if backend_args is None and '://' in path:
        return False
    return isinstance(file_backend(path, backend_args), LocalBackend)


def _missing_weights(cfg: Config) -> Iterator[str]:
    """Yield which checkpoints are not there; those with a scheme are fetched when needed."""
    for path in (cfg.get('load_from'), *_pretrained(cfg.get('model'))):
        if isinstance(path, str) and path and '://' not in path:
            yield from _not_readable(Path(path).expanduser(), 'checkpoint')


def _pretrained(node: object) -> Iterator[object]:
    """Yield the checkpoints that parts of a model begin with."""
    if isinstance(node, Mapping):
        if node.get('type') == 'Pretrained':
            yield node.get('checkpoint')
        for value in node.values():
            yield from _pretrained(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _pretrained(value)


def _not_readable(path: Path, kind: str) -> Iterator[str]:
    if not path.exists():
        yield f'{kind} {path} does not exist'
    elif path.is_dir() != kind.endswith('folder'):
        yield f'{kind} {path} is a {"folder" if path.is_dir() else "file"}'
    elif not os.access(path, os.R_OK):
        yield f'{kind} {path} cannot be read: permission denied'


def _not_writable(folder: Path) -> Iterator[str]:
    try:
        check_folder(folder)
    except UserError as error:
        yield error.message
