"""Images drawn class by class, as by Shen, Lin, Huang: Relay Backpropagation (ECCV 2016)."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.logging import print_log
from torch.utils.data import Sampler

from mmdet.errors import UserError
from mmdet.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ClassAwareSampler(Sampler):
    """As many images of a rare class as of a frequent one.

    Classes take turns in random order, and each gives `num_sample_class` of the images that have an
    object of it; those of a class come in random order, too, all of them before one comes again. An
    epoch is as long as the data set, so that some images come several times in it and others not at
    all; an image without an object never comes, which the log says.

    The order follows from the seed and the epoch: in mmdetection it is the same.

    Args:
        dataset: it has `get_cat_ids`, as this project's data sets and wrappers have.
        seed: the same in all processes; by default they agree on one.
        num_sample_class: how many images in a row are of one class.

    Raises:
        UserError: `num_sample_class` is below 1, or no image has an object.
    """

    def __init__(
        self, dataset: BaseDataset, seed: int | None = None, num_sample_class: int = 1
    ) -> None:
        if num_sample_class < 1:
            raise UserError(
                f'ClassAwareSampler: num_sample_class={num_sample_class} is below 1: a class gives '
                'so many images at a time'
            )
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.seed = sync_random_seed() if seed is None else seed
        self.num_sample_class = num_sample_class
        self.epoch = 0
        self.num_samples = math.ceil(len(dataset) / self.world_size)
        self._images = _images_of_labels(dataset)

    def __iter__(self) -> Iterator[int]:
        """Yield the indices of this process, each process another part of the epoch."""
        first = self.rank * self.num_samples
        return islice(self._drawn(), first, first + self.num_samples)

    def _drawn(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        turns = _Cycle(list(self._images), generator)
        images = {label: _Cycle(found, generator) for label, found in self._images.items()}
        while True:
            label = turns.next()
            for _ in range(self.num_sample_class):
                yield images[label].next()

    def __len__(self) -> int:
        """Return how many images this process has in an epoch."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be that of an epoch."""
        self.epoch = epoch


class _Cycle:
    """Values in random order again and again, all of them before one comes again."""

    def __init__(self, values: Sequence[int], generator: torch.Generator) -> None:
        self._values = values
        self._generator = generator
        self._coming = self._shuffled()

    def _shuffled(self) -> Iterator[int]:
        order = torch.randperm(len(self._values), generator=self._generator)
        return iter([self._values[place] for place in order.tolist()])

    def next(self) -> int:
        for value in self._coming:
            return value
        self._coming = self._shuffled()
        return next(self._coming)


def _images_of_labels(dataset: BaseDataset) -> dict[int, list[int]]:
    """Return the indices of the images that have an object of each label, by the label's order.

    Raises:
        UserError: there are none.
    """
    images, without = defaultdict(list), 0
    for index in range(len(dataset)):
        labels = set(dataset.get_cat_ids(index))
        without += not labels
        for label in labels:
            images[label].append(index)
    if not images:
        raise UserError('ClassAwareSampler: no image has an object to draw it by')
    if without:
        print_log(
            f'ClassAwareSampler: {without} of {len(dataset)} images have no object, and never come',
            logger='current',
        )
    return {label: images[label] for label in sorted(images)}
