"""Batches that have so many images of each of several data sets."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from mmengine.dataset import ConcatDataset, InfiniteSampler

from mmdet.errors import UserError
from mmdet.registry import DATA_SAMPLERS

from .batch_sampler import is_upright


@DATA_SAMPLERS.register_module()
class MultiSourceSampler(InfiniteSampler):
    """Batches that take of each data set of a `ConcatDataset` its share, without an end.

    A data set that has come to its end begins anew, in another order. The first data set has what
    the shares of the others, cut to whole images, leave. In several processes each batch is one
    process's. The order follows from the seed alone: in mmdetection it is the same.

    It is for loops over iterations, and batches must stay as it makes them: the loader has the same
    `batch_size` and no `batch_sampler`.

    Args:
        dataset: a `ConcatDataset`.
        batch_size: of the loader.
        source_ratio: the share of each data set, in any unit.
        shuffle: take the images of each data set in random order.
        seed: the same in all processes; by default they agree on one.

    Raises:
        UserError: the data set is no `ConcatDataset`, or one of its data sets has no share, or none
            of a whole image.
    """

    def __init__(
        self,
        dataset: ConcatDataset,
        batch_size: int,
        source_ratio: Sequence[float],
        shuffle: bool = True,
        seed: int | None = None,
    ) -> None:
        name = type(self).__name__
        if not isinstance(dataset, ConcatDataset):
            raise UserError(
                f'{name}: the data set is a {type(dataset).__name__}: it draws from the data sets '
                'of a ConcatDataset, which must be the outermost'
            )
        if len(source_ratio) != len(dataset.datasets):
            raise UserError(
                f'{name}: source_ratio={list(source_ratio)} has {len(source_ratio)} shares, and '
                f'ConcatDataset has {len(dataset.datasets)} data sets: name one for each'
            )
        super().__init__(dataset, shuffle, seed)
        self.num_per_source = _shares(batch_size, source_ratio) if sum(source_ratio) > 0 else [0]
        if min(self.num_per_source) < 1:
            raise UserError(
                f'{name}: source_ratio={list(source_ratio)} of batch_size={batch_size} is '
                f'{self.num_per_source} images, and each data set needs one: take a larger batch, '
                'or the data set out'
            )

    def __iter__(self) -> Iterator[int]:
        """Yield the indices of this process, batch by batch."""
        sources = [self._drawn(images) for images in self._images()]
        while True:
            for source, number in zip(sources, self.num_per_source, strict=True):
                yield from islice(source, number)

    def _images(self) -> list[range]:
        """Return the indices of each data set's images in the whole one."""
        joined = self.dataset
        assert isinstance(joined, ConcatDataset)
        return [
            range(end - len(each), end)
            for each, end in zip(joined.datasets, joined.cumulative_sizes, strict=True)
        ]

    def _drawn(self, images: Sequence[int]) -> Iterator[int]:
        """Yield what this process has of images that are drawn again and again."""
        everyone = self._drawn_by_all(images)
        return islice(everyone, self.rank, None, self.world_size)

    def _drawn_by_all(self, images: Sequence[int]) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed)
        places = range(len(images))
        while True:
            if self.shuffle:
                places = torch.randperm(len(images), generator=generator).tolist()
            yield from (images[place] for place in places)


@DATA_SAMPLERS.register_module()
class GroupMultiSourceSampler(MultiSourceSampler):
    """As `MultiSourceSampler`, with images in a batch that are all upright or all not.

    Which of both is drawn for each batch, as often as there are such images. In mmdetection the
    order is the same if NumPy's generator has the sampler's seed when it begins, and there may be
    two data sets alone.

    Args:
        dataset: a `ConcatDataset`.
        batch_size: of the loader.
        source_ratio: the share of each data set, in any unit.
        shuffle: take the images of each data set in random order.
        seed: the same in all processes; by default they agree on one.

    Raises:
        UserError: see `MultiSourceSampler`; or a data set lacks images of a kind that others have.
    """

    def __init__(
        self,
        dataset: ConcatDataset,
        batch_size: int,
        source_ratio: Sequence[float],
        shuffle: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, source_ratio, shuffle, seed)
        upright = np.array([is_upright(dataset, index) for index in range(len(dataset))])
        # Of each group, the images of each data set; mmdetection counts the upright ones first.
        self._groups = [
            [[index for index in images if upright[index] == kind] for images in self._images()]
            for kind in (True, False)
        ]
        for kind, group in zip(('upright', 'other than upright'), self._groups, strict=True):
            if any(group) and not all(group):
                lacking = [place for place, images in enumerate(group) if not images]
                raise UserError(
                    f'GroupMultiSourceSampler: datasets.{lacking[0]} has no image that is {kind}, '
                    'and others have, so that no batch of them can be made: take '
                    'MultiSourceSampler, which mixes both'
                )

    def __iter__(self) -> Iterator[int]:
        """Yield the indices of this process, batch by batch."""
        groups = [[self._drawn(images) for images in group] for group in self._groups]
        sizes = np.array([sum(map(len, group)) for group in self._groups])
        random = np.random.RandomState(self.seed)
        while True:
            sources = groups[random.choice(len(groups), p=sizes / sizes.sum())]
            for source, number in zip(sources, self.num_per_source, strict=True):
                yield from islice(source, number)


def _shares(batch_size: int, ratio: Sequence[float]) -> list[int]:
    """Return how many images of a batch are of each source.

    Examples:
        >>> _shares(5, [1, 4]), _shares(8, [1, 1, 1])
        ([1, 4], [4, 2, 2])
    """
    others = [int(batch_size * each / sum(ratio)) for each in ratio[1:]]
    return [batch_size - sum(others), *others]
