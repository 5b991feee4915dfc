"""What mmengine makes a data loader of."""

import warnings
from collections.abc import Iterator, Mapping

import torch
from torch.utils.data import DataLoader, TensorDataset

from mmdet.registry import DATA_SAMPLERS, DATASETS, FUNCTIONS

from .objects import Place, check_object
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
