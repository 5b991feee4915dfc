"""Samplers that choose images: what they draw, beside mmdetection, and begun in the middle."""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmdet.datasets import ClassAwareSampler, ConcatDataset
from mmdet.datasets.samplers import class_aware_sampler
from mmdet.engine.placed_data import batches_from, placed
from mmdet.errors import UserError
from mmdet.registry import DATA_SAMPLERS
from tests.datasets.samplers.peer import Images
from tests.peer import ask

UPRIGHT, LYING = (40, 60), (60, 40)
# Class 0 is in most images, 5 in one; the last has none.
FIRST = ([UPRIGHT, LYING, LYING] * 4, [[0], [0, 1], [0, 0, 3]] * 3 + [[5], [1, 0], []])
SECOND = ([LYING, UPRIGHT] * 9, [[0]] * 18)
THIRD = ([LYING, UPRIGHT] * 3, [[1]] * 6)
CASES = [
    dict(type='ClassAwareSampler', arguments=dict(seed=5), sources=[FIRST], number=99),
    dict(
        type='ClassAwareSampler',
        arguments=dict(seed=6, num_sample_class=3),
        sources=[FIRST],
        number=99,
    ),
    *(
        dict(type=name, arguments=dict(seed=7, **arguments), sources=[FIRST, SECOND], number=50)
        for name in ('MultiSourceSampler', 'GroupMultiSourceSampler')
        for arguments in (
            dict(batch_size=5, source_ratio=[1, 4]),
            dict(batch_size=4, source_ratio=[2.5, 1.0], shuffle=False),
        )
    ),
]


class Joined(ConcatDataset):
    def __init__(self, parts: list[Images]) -> None:
        self.datasets = parts
        self._fully_initialized = True
        self.cumulative_sizes = np.cumsum([len(part) for part in parts]).tolist()

    def __getitem__(self, index: int) -> int:
        return index


@pytest.fixture
def rank(monkeypatch):
    """Sets which of two processes this is."""

    def set_rank(rank: int) -> None:
        for module in ('mmdet.datasets.samplers.class_aware_sampler', 'mmengine.dataset.sampler'):
            monkeypatch.setattr(f'{module}.get_dist_info', lambda: (rank, 2))

    return set_rank


def build(type: str, arguments: dict, sources: list[tuple], **_: object):
    dataset = Joined([Images(*each) for each in sources])
    return DATA_SAMPLERS.build(dict(type=type, dataset=dataset, **arguments))


def test_they_draw_as_mmdetections_do(rank):
    expected = iter(ask(Path(__file__).with_name('peer.py'), CASES))
    for case in CASES:
        for process in range(2):
            rank(process)
            sampler = build(**case)
            sampler.set_epoch(3)
            assert list(islice(sampler, case['number'])) == next(expected), case


def test_a_rare_class_comes_as_often_as_a_frequent_one(monkeypatch):
    said = []
    monkeypatch.setattr(class_aware_sampler, 'print_log', lambda message, **_: said.append(message))
    images = Images(FIRST[0] * 20, FIRST[1] * 20)
    drawn = list(ClassAwareSampler(images, seed=0, num_sample_class=2))
    assert len(drawn) == 240
    # 240 of four classes: each gives 60, and images of class 0 come for the others, too.
    counts = Counter(label for index in drawn for label in set(images.labels[index]))
    assert counts[5] == 60 and min(counts.values()) == 60
    for first, second in zip(drawn[::2], drawn[1::2], strict=True):
        assert set(images.labels[first]) & set(images.labels[second])
    assert said == ['ClassAwareSampler: 20 of 240 images have no object, and never come']


def test_an_epoch_is_shared_out_and_another_one_differs(rank):
    images = Images(*FIRST)
    whole = list(ClassAwareSampler(images, seed=3))
    parts = []
    for process in range(2):
        rank(process)
        sampler = ClassAwareSampler(images, seed=3)
        assert len(sampler) == 6
        parts += sampler
    assert parts == whole
    sampler.set_epoch(1)
    assert list(sampler) != parts[6:]


@pytest.mark.parametrize('case', CASES)
def test_a_batch_is_the_same_from_wherever_it_is_begun(case):
    def batches(epoch: int, first: int, stop: int) -> list:
        sampler = build(**case)
        loader = DataLoader(
            sampler.dataset, batch_size=4, sampler=sampler, collate_fn=pseudo_collate
        )
        return list(islice(batches_from(placed(loader, seed=1), epoch=epoch, first=first), stop))

    whole = batches(epoch=2, first=0, stop=3)
    assert len(whole) == 3
    assert batches(epoch=2, first=2, stop=1) == whole[2:]


@pytest.mark.parametrize('name', ['MultiSourceSampler', 'GroupMultiSourceSampler'])
def test_each_batch_has_its_share_of_each_data_set(name, rank):
    sources = [FIRST, SECOND, THIRD]  # begin at 0, 12 and 30
    arguments = dict(batch_size=8, source_ratio=[1, 2, 1], seed=0)
    drawn = []
    for process in range(2):
        rank(process)
        sampler = iter(build(name, arguments, sources))
        batches = [list(islice(sampler, 8)) for _ in range(12)]
        for batch in batches:
            assert np.digitize(batch, [12, 30, 36]).tolist() == [0, 0, 1, 1, 1, 1, 2, 2]
        if name == 'GroupMultiSourceSampler':
            sizes = [size for each in sources for size in each[0]]
            kinds = [{sizes[index] for index in batch} for batch in batches]
            assert all(len(kind) == 1 for kind in kinds)
            assert len(set.union(*kinds)) == 2
        drawn.append(batches)
    if name == 'MultiSourceSampler':  # both together meet each image before one comes again
        second = [[index for batch in batches for index in batch[2:6]] for batches in drawn]
        in_turns = [index for pair in zip(*second, strict=True) for index in pair]
        assert sorted(in_turns[:18]) == sorted(in_turns[18:36]) == list(range(12, 30))


@pytest.mark.parametrize(
    ('type', 'arguments', 'sources', 'complaint'),
    [
        ('ClassAwareSampler', dict(num_sample_class=0), [FIRST], 'num_sample_class=0 is below 1'),
        ('ClassAwareSampler', {}, [([LYING], [[]])], 'no image has an object'),
        (
            'MultiSourceSampler',
            dict(batch_size=2, source_ratio=[4, 1]),
            [FIRST, SECOND],
            r'source_ratio=\[4, 1\] of batch_size=2 is \[2, 0\] images',
        ),
        (
            'MultiSourceSampler',
            dict(batch_size=2, source_ratio=[0, 0]),
            [FIRST, SECOND],
            'each data set needs one',
        ),
        (
            'MultiSourceSampler',
            dict(batch_size=2, source_ratio=[1]),
            [FIRST, SECOND],
            'has 1 shares, and ConcatDataset has 2 data sets',
        ),
        (
            'GroupMultiSourceSampler',
            dict(batch_size=2, source_ratio=[1, 1]),
            [FIRST, ([LYING] * 3, [[0]] * 3)],
            r'datasets\.1 has no image that is upright.* take MultiSourceSampler',
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(type, arguments, sources, complaint):
    with pytest.raises(UserError, match=complaint):
        build(type, dict(seed=0, **arguments), sources)


def test_several_sources_are_a_concat_datasets():
    with pytest.raises(UserError, match=r'the data set is a Images: .* must be the outermost'):
        DATA_SAMPLERS.build(
            dict(
                type='MultiSourceSampler',
                dataset=Images(*FIRST),
                batch_size=2,
                source_ratio=[1, 1],
                seed=0,
            )
        )
