import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, DefaultSampler
from torch.utils.data import DataLoader, Dataset, IterableDataset

from mmdet.datasets import MultiImageMixDataset
from mmdet.engine.pipelines_of_epochs import PipelinesOfEpochs
from mmdet.engine.placed_data import PlacedDataset, batches_from, placed, reseed
from mmdet.registry import TRANSFORMS


class Drawing(Dataset):
    """Samples are their index and what three generators say; it knows which were asked for."""

    metainfo = dict(classes=('a',))

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> tuple:
        self.asked.append(index)
        return index, random.random(), float(np.random.rand()), torch.rand(()).item()


def loader(*, workers: int = 0, seed: int = 3) -> DataLoader:
    data = Drawing()
    plain = DataLoader(
        data,
        batch_size=4,
        sampler=DefaultSampler(data, seed=seed),
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=list,
    )
    return placed(plain, seed=seed)


@pytest.mark.parametrize('workers', [0, 2])
def test_any_batch_of_any_epoch_is_what_it_always_is(workers):
    data = loader()
    epochs = [list(batches_from(data, epoch=epoch, first=0)) for epoch in (0, 1)]
    assert epochs[0] != epochs[1]
    draws = {draw for epoch in epochs for batch in epoch for _, *draws in batch for draw in draws}
    assert len(draws) == 2 * 20 * 3
    other = loader(workers=workers)
    for epoch, first in ((1, 3), (0, 0), (1, 5), (0, 2)):
        assert list(batches_from(other, epoch=epoch, first=first)) == epochs[epoch][first:]


def test_batches_before_the_first_are_not_loaded():
    data = loader()
    (last,) = batches_from(data, epoch=0, first=4)
    assert data.dataset.asked == [index for index, *_ in last]


def test_the_models_generators_are_left_as_they_are():
    def drawn() -> tuple:
        return random.random(), np.random.rand(), torch.rand(()).item()

    def seed() -> None:
        random.seed(1), np.random.seed(1), torch.manual_seed(1)

    seed()
    expected = drawn()
    seed()
    list(batches_from(loader(), epoch=0, first=0))
    list(batches_from(loader(workers=2), epoch=0, first=0))
    assert drawn() == expected


def test_another_seed_is_the_samplers_too():
    data, expected = loader(seed=3), loader(seed=4)
    reseed(data, 4)
    assert [*batches_from(data, epoch=1, first=0)] == [*batches_from(expected, epoch=1, first=0)]


def test_a_seed_of_the_samplers_own_stays():
    data = Drawing()
    sampler = DefaultSampler(data, seed=7)
    loader = placed(DataLoader(data, sampler=sampler), seed=3)
    reseed(loader, 4)
    assert sampler.seed == 7


def test_a_stream_without_indices_is_skipped_by_loading():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(10))

    stream = DataLoader(Stream(), batch_size=2, collate_fn=list)
    assert placed(stream, seed=0) is stream
    assert list(batches_from(stream, epoch=0, first=3)) == [[6, 7], [8, 9]]


def test_whatever_else_is_asked_is_the_inner_data_sets():
    data = pickle.loads(pickle.dumps(PlacedDataset(Drawing())))
    assert data.metainfo == dict(classes=('a',))
    assert len(data) == 20
    assert not hasattr(data, '__getitems__')
    assert not hasattr(data, 'none_of_its')


@TRANSFORMS.register_module()
class Noting:
    """A step that notes its name and what the generator says."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, results: dict) -> dict:
        return {**results, 'seen': [*results.get('seen', ()), (self.name, np.random.rand())]}


class Listed(Dataset):
    def __init__(self, name: str) -> None:
        self.pipeline = Compose([Noting(name)])

    def __len__(self) -> int:
        return 6

    def full_init(self) -> None: ...

    def __getitem__(self, index: int) -> dict:
        return self.pipeline(dict(index=index))


def noting(name: str) -> list[dict]:
    return [dict(type='Noting', name=name)]


@pytest.mark.parametrize('workers', [0, 2])
def test_each_sample_goes_through_the_pipeline_of_its_epoch(workers):
    def data() -> DataLoader:
        inner = torch.utils.data.ConcatDataset([Listed('a'), Listed('b')])
        plain = DataLoader(
            inner,
            batch_size=2,
            sampler=DefaultSampler(inner, seed=3),
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=list,
        )
        loader = placed(plain, seed=3)
        for epoch, name in ((3, 'last'), (1, 'next')):
            assert loader.dataset.pipelines.begin(epoch, noting(name)) == 2
        return loader

    loader = data()
    epochs = [list(batches_from(loader, epoch=epoch, first=0)) for epoch in range(5)]
    names = [
        {name for batch in epoch for sample in batch for name, _ in sample['seen']}
        for epoch in epochs
    ]
    assert names == [{'a', 'b'}, {'next'}, {'next'}, {'last'}, {'last'}]
    again = data()  # from the middle of an epoch, and back
    assert list(batches_from(again, epoch=3, first=4)) == epochs[3][4:]
    assert list(batches_from(again, epoch=0, first=2)) == epochs[0][2:]


def test_of_a_mix_it_is_its_own_pipeline_that_changes():
    mix = MultiImageMixDataset(Listed('image'), noting('mix'))
    pipelines = PipelinesOfEpochs(mix)
    pipelines.begin(1, noting('other'))
    seen = []
    for epoch in (0, 1, 0):
        pipelines.choose(epoch)
        seen.append([name for name, _ in mix[0]['seen']])
    assert seen == [['image', 'mix'], ['image', 'other'], ['image', 'mix']]
