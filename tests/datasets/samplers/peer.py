"""Draws by mmdetection 3.3's samplers; see `tests/peer.py`."""

from itertools import islice

import numpy as np


class Images:
    """Images of which sizes (width, height) and labels are known; mmdetection asks for classes."""

    def __init__(self, sizes: list[tuple[int, int]], labels: list[list[int]]) -> None:
        self.sizes, self.labels = sizes, labels
        self.metainfo = dict(classes=tuple('abcdefgh'))

    def __len__(self) -> int:
        return len(self.sizes)

    def full_init(self) -> None: ...

    def get_data_info(self, index: int) -> dict:
        return dict(width=self.sizes[index][0], height=self.sizes[index][1])

    def get_cat_ids(self, index: int) -> list[int]:
        return self.labels[index]


def answer(cases: list[dict]) -> list[list[int]]:
    """Return the indices that each case draws, of two processes one after the other."""
    return [indices for case in cases for indices in _drawn(**case)]


def _drawn(type: str, arguments: dict, sources: list[tuple], number: int) -> list[list[int]]:
    from mmengine.registry import DATA_SAMPLERS

    from mmdet.datasets.samplers import class_aware_sampler, multi_source_sampler

    dataset = Images(*sources[0])
    if 'Source' in type:
        dataset.datasets = [Images(*each) for each in sources]
        dataset.cumulative_sizes = np.cumsum([len(each) for each in dataset.datasets]).tolist()
    found = []
    for rank in range(2):
        for module in (class_aware_sampler, multi_source_sampler):
            module.get_dist_info = lambda rank=rank: (rank, 2)
        sampler = DATA_SAMPLERS.build(dict(type=f'mmdet.{type}', dataset=dataset, **arguments))
        sampler.set_epoch(3)
        np.random.seed(arguments['seed'])
        found.append([int(each) for each in islice(sampler, number)])
    return found
