import pytest
from torch.utils.data import SequentialSampler

from mmdet.datasets import AspectRatioBatchSampler

SIZES = [(60, 40), (40, 60), (60, 40), (50, 50), (40, 60), (40, 60), (60, 40)]


class Items:
    def __len__(self) -> int:
        return len(SIZES)

    def get_data_info(self, index: int) -> dict:
        return dict(width=SIZES[index][0], height=SIZES[index][1])


@pytest.fixture
def sampler() -> SequentialSampler:
    sampler = SequentialSampler(Items())
    sampler.dataset = Items()
    return sampler


def test_batches_are_of_one_kind_and_the_rest_is_mixed(sampler):
    batches = list(AspectRatioBatchSampler(sampler, 2))
    assert batches == [[0, 2], [1, 4], [3, 6], [5]]


def test_nothing_is_lost_or_doubled_and_the_length_is_true(sampler):
    for batch_size in (1, 2, 3, 4, 10):
        batches = AspectRatioBatchSampler(sampler, batch_size)
        taken = [index for batch in batches for index in batch]
        assert sorted(taken) == list(range(7))
        assert len(list(batches)) == len(batches)


def test_drop_last(sampler):
    batches = AspectRatioBatchSampler(sampler, 2, drop_last=True)
    assert [len(batch) for batch in batches] == [2, 2, 2]
    assert len(batches) == 3


def test_every_epoch_begins_anew(sampler):
    batches = AspectRatioBatchSampler(sampler, 4)
    next(iter(batches))
    assert len([i for batch in batches for i in batch]) == 7
