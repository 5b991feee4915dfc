"""What mmengine makes a data loader of."""

import warnings
from collections.abc import Iterator, Mapping

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader, TensorDataset

from mmdet.datasets import MultiSourceSampler
from mmdet.registry import DATA_SAMPLERS, DATASETS, FUNCTIONS, LOOPS

from .objects import Place, check_object
from .parts import is_a
from .signature import arguments_of, suggestion

_SAMPLER = Place(DATA_SAMPLERS, supplied=frozenset({'dataset', 'seed'}))
_BATCH_SAMPLER = Place(DATA_SAMPLERS, supplied=frozenset({'sampler', 'batch_size'}))
_COLLATE = Place(FUNCTIONS, supplied=frozenset({'data_batch', 'batch'}))
_WORKER_INIT = Place(FUNCTIONS, supplied=None)
# mmengine's, beside those of torch's class
_OWN_KEYS = ('num_batch_per_epoch', 'disable_subprocess_warning')


def check_loader(node: Mapping, path: str) -> Iterator[str]:
    """Yield what is wrong with a loader's dict: its data set, its samplers, its numbers."""
    for key in ('dataset', 'sampler'):
        if key not in node:
            yield f'{path} needs {key!r}'
    objects = {
        'dataset': Place(DATASETS),
        'sampler': _SAMPLER,
        'batch_sampler': _BATCH_SAMPLER,
        'collate_fn': _COLLATE,
        'worker_init_fn': _WORKER_INIT,
    }
    for key, place in objects.items():
        if node.get(key) is not None or (key in ('dataset', 'sampler') and key in node):
            yield from check_object(node[key], f'{path}.{key}', place)
    known = [*arguments_of(DataLoader).parameters, *_OWN_KEYS]
    for key in node.keys() - set(known):
        yield f'{path} has no setting {key!r}{suggestion(key, known)}'
    numbers = {key: node[key] for key in node.keys() & set(known) - set(_OWN_KEYS) - set(objects)}
    try:
        with warnings.catch_warnings(action='ignore'):
            DataLoader(TensorDataset(torch.zeros(1)), **numbers)
    except (TypeError, ValueError, AssertionError) as error:
        yield f'{path}: {error}'
    if node.get('batch_sampler') and 'batch_size' not in node:
        yield f"{path} needs 'batch_size'"
    sampler = node.get('sampler')
    if isinstance(sampler, Mapping) and is_a(sampler, DATA_SAMPLERS, MultiSourceSampler):
        yield from _check_batches(node, sampler, path)


def check_end(cfg: Mapping) -> Iterator[str]:
    """Yield that epochs would have no end, if they would not."""
    loop, loader = cfg.get('train_cfg') or {}, cfg.get('train_dataloader') or {}
    sampler = loader.get('sampler') if isinstance(loader, Mapping) else None
    if not isinstance(loop, Mapping) or not isinstance(sampler, Mapping):
        return
    by_epoch = loop.get('by_epoch') or is_a(loop, LOOPS, EpochBasedTrainLoop)
    if by_epoch and is_a(sampler, DATA_SAMPLERS, InfiniteSampler):
        yield (
            f'train_dataloader.sampler: {sampler["type"]} never comes to an end, and train_cfg '
            "counts epochs: set train_cfg=dict(type='IterBasedTrainLoop', max_iters=...), or take "
            'DefaultSampler'
        )


def _check_batches(node: Mapping, sampler: Mapping, path: str) -> Iterator[str]:
    """Yield what would break up the batches that a sampler has put together."""
    if node.get('batch_sampler') is not None:
        yield (
            f'{path}.batch_sampler would break up the batches of {sampler["type"]}: set '
            f'{path}.batch_sampler=None'
        )
    given, wanted = sampler.get('batch_size'), node.get('batch_size')
    if given is not None and given != wanted:
        yield (
            f'{path}.sampler.batch_size is {given}, and {path}.batch_size is {wanted}: its batches '
            'stay as they are put together if both are the same'
        )
