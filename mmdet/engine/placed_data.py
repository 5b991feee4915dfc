"""Training data that can begin anywhere: batch k of an epoch, as if the others had been loaded.

What a sample is depends on the seed, the epoch, its place in the epoch and the process alone. The
batch sampler tells the data set the place of each index; the data set seeds the generators by it.
With each batch comes which images could not be used for it, wherever it was loaded.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

import torch
from mmengine.dist import get_rank
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

from mmdet.datasets.met_findings import MetFinding, findings_noted
from mmdet.datasets.unusable_image import UnusableImage, unusable_images_noted
from mmdet.errors import UserError

from .pipelines_of_epochs import PipelinesOfEpochs
from .random_state import Use, generators_put_back, seed_generators


class Placed(NamedTuple):
    """An index of a data set, and where in the training it is drawn.

    Attributes:
        index: of the data set.
        seed: of the training.
        place: epoch, process, batch in the epoch, sample in the batch.
    """

    index: int
    seed: int
    place: tuple[int, int, int, int]


class Loaded(NamedTuple):
    """A sample, or a batch of them, what could not be used for it, and what was repaired."""

    data: object
    unusable: list[UnusableImage]
    findings: list[MetFinding]


class PlacedDataset(Dataset):
    """A data set whose samples draw by their place; whatever else is asked is the inner one's.

    Args:
        dataset: the inner one.

    Attributes:
        pipelines: its pipelines, by the epoch of the place.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.pipelines = PipelinesOfEpochs(dataset)

    def __len__(self) -> int:
        return len(self.dataset)  # pyrefly: ignore[bad-argument-type]: torch's base has none

    def __getattr__(self, name: str) -> object:
        # Special names would promise abilities, as __getitems__ does, that this class has not;
        # without a data set yet, this is a copy that is being unpickled.
        if name.startswith('__') or 'dataset' not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.dataset, name)

    # The places come from `PlacedBatchSampler`, to which a data set's index is a number.
    # pyrefly: ignore[bad-override-param-name]
    def __getitem__(self, placed: Placed) -> Loaded:
        if get_worker_info() is not None:
            return self._load(placed)
        with generators_put_back():  # the model draws from them in this process
            return self._load(placed)

    def _load(self, placed: Placed) -> Loaded:
        seed_generators(placed.seed, Use.SAMPLE, *placed.place)
        self.pipelines.choose(epoch=placed.place[0])
        with unusable_images_noted() as unusable, findings_noted() as findings:
            return Loaded(self.dataset[placed.index], unusable, findings)


class PlacedBatchSampler(Sampler):
    """Batches of placed indices, from any batch of an epoch on.

    Batches before that are asked of the samplers, but never loaded.

    Args:
        batches: the batch sampler whose batches these are.
        seed: of the training, the same in all processes.

    Attributes:
        given: the batches that are being loaded, or are but have not been asked for yet.
    """

    def __init__(self, batches: Iterable, *, seed: int) -> None:
        self.batches = batches
        self.sampler = getattr(batches, 'sampler', None)
        self.batch_size = getattr(batches, 'batch_size', None)
        self.drop_last = getattr(batches, 'drop_last', False)
        self.seed = seed
        self.given: deque[list[Placed]] = deque()
        self._epoch = self._first = 0

    def begin(self, *, epoch: int, first: int) -> None:
        """Let the next pass over the batches be an epoch's, from its batch `first` on."""
        self._epoch, self._first = epoch, first
        self.given.clear()
        for sampler in (self.batches, self.sampler):
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)

    def reseed(self, seed: int) -> None:
        """Take another seed, also for a sampler that has the present one."""
        if getattr(self.sampler, 'seed', None) == self.seed:
            assert self.sampler is not None
            self.sampler.seed = seed
        self.seed = seed

    def __len__(self) -> int:
        """Return how many batches a whole epoch has."""
        return len(self.batches)  # pyrefly: ignore[bad-argument-type]: torch's base has none

    def __iter__(self) -> Iterator[list[Placed]]:
        rank, epoch, first = get_rank(), self._epoch, self._first
        for number, indices in enumerate(islice(self.batches, first, None), start=first):
            batch = [
                Placed(index, self.seed, (epoch, rank, number, sample))
                for sample, index in enumerate(indices)
            ]
            self.given.append(batch)
            yield batch


class PlacedLoader(DataLoader):
    """A loader of a `PlacedDataset`, whose batches are plain ones; the arguments are torch's."""

    def __init__(self, dataset: PlacedDataset, *, collate_fn: Callable, **settings: object) -> None:
        collate = partial(_collate, then=collate_fn)
        super().__init__(dataset, collate_fn=collate, **settings)  # pyrefly: ignore[bad-argument-type]
        self._unusable: list[UnusableImage] = []
        self._findings: list[MetFinding] = []

    def take_unusable(self) -> list[UnusableImage]:
        """Return what could not be used for the batches that were taken out since the last call."""
        taken = self._unusable
        self._unusable = []
        return taken

    def take_findings(self) -> list[MetFinding]:
        """Return what was found in the annotations of these batches."""
        taken = self._findings
        self._findings = []
        return taken

    # torch's names its own iterator as the type.
    def __iter__(self) -> Iterator:  # pyrefly: ignore[bad-override]
        for loaded in super().__iter__():
            self._unusable += loaded.unusable
            self._findings += loaded.findings
            yield loaded.data


def _collate(samples: Sequence[Loaded], *, then: Callable) -> Loaded:
    unusable = chain.from_iterable(sample.unusable for sample in samples)
    findings = chain.from_iterable(sample.findings for sample in samples)
    return Loaded(then([sample.data for sample in samples]), list(unusable), list(findings))


def placed(loader: DataLoader, *, seed: int) -> DataLoader:
    """Return a loader of the same batches whose samples draw by their place.

    A loader that does not know its samples by indices (of an `IterableDataset`) is returned as it
    is.

    Args:
        loader: it must not have begun to load.
        seed: of the training, the same in all processes.
    """
    batches = loader.batch_sampler
    if isinstance(loader.dataset, IterableDataset) or batches is None:
        return loader
    return PlacedLoader(
        PlacedDataset(loader.dataset),
        batch_sampler=PlacedBatchSampler(batches, seed=seed),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        # A pass over a loader draws one number; the model's generator is not to be asked for it.
        generator=loader.generator or torch.Generator(),
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
        pin_memory_device=loader.pin_memory_device,
        in_order=loader.in_order,
    )


def reseed(loader: DataLoader, seed: int) -> None:
    """Give a placed loader and its sampler another seed, before it begins to load."""
    if isinstance(loader.batch_sampler, PlacedBatchSampler):
        loader.batch_sampler.reseed(seed)


def batches_from(loader: DataLoader, *, epoch: int, first: int) -> Iterator:
    """Return the batches of an epoch, from its batch `first` on.

    Those before are not loaded, unless the loader does not know its samples by indices.
    """
    sampler = loader.batch_sampler
    if not isinstance(sampler, PlacedBatchSampler):
        yield from islice(loader, first, None)
        return
    sampler.begin(epoch=epoch, first=first)
    for batch in loader:
        sampler.given.popleft()
        yield batch


@contextmanager
def naming_lost_samples(loader: DataLoader) -> Iterator[None]:
    """Say which images the workers were at, if one of them is killed in the block.

    Raises:
        UserError: one was.
    """
    try:
        yield
    except RuntimeError as error:
        killed = re.search(r'DataLoader worker \(pid.*', str(error))
        if killed is None or not isinstance(loader.batch_sampler, PlacedBatchSampler):
            raise
        names = ', '.join(images_at(loader))
        raise UserError(
            f'{killed[0].strip()} The machine may have run out of memory: take fewer workers or '
            f'smaller images, and go on with --resume. The workers were at {names}'
        ) from None


def images_at(loader: DataLoader) -> list[str]:
    """Return the names of the images that are being loaded, if the loader knows them."""
    sampler = loader.batch_sampler
    if not isinstance(sampler, PlacedBatchSampler):
        return []
    # Workers take turns, so each is at the first of its batches at the latest.
    given = islice(sampler.given, max(1, loader.num_workers))
    return [_name(loader.dataset, placed.index) for batch in given for placed in batch]


def _name(dataset: Dataset, index: int) -> str:
    info = getattr(dataset, 'get_data_info', None)
    found = info(index) if callable(info) else {}
    return str(found.get('img_path', f'sample {index}'))
