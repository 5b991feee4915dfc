"""How many images a second a training's data gives: its loader, and one process by transforms."""

import itertools
import statistics
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack

import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from mmdet.engine.placed_data import PlacedDataset, batches_from
from mmdet.errors import UserError

from .machine import machine_of
from .run import runner_of
from .stopwatch import Stopwatch, timed

# Reading what an image is annotated with, and other images that a mixture takes, but for their own
# transforms.
_REST = 'data set, the rest'


def measure_data(cfg: Config, *, steps: int, warmup: int) -> dict[str, object]:
    """Measure the loader and the data set of a config's training, without training.

    Args:
        cfg: checked; it is changed.
        steps: batches that are measured.
        warmup: batches that are loaded before.

    Returns:
        `workers` of the loader; the number of `images` of most batches; `steps`;
        `images_a_second` of the loader. Then what one process does alone with as many images:
        `seconds` for one, its `parts`, the means of an image, and `images_a_second_alone`; the
        `machine`.
    """
    cfg.train_dataloader.persistent_workers = False  # they would load on when they are not asked
    with runner_of(cfg, 'train') as runner:
        loader = runner.train_dataloader
        assert isinstance(loader, DataLoader)
        images, speed = _measure_loader(loader, steps=steps, warmup=warmup)
        if not isinstance(loader.dataset, PlacedDataset):
            raise UserError('the data set of train_dataloader knows no images by their indices')
        parts = _measure_alone(loader.dataset.dataset, images=steps * images)
    seconds = sum(parts.values())
    return dict(
        workers=loader.num_workers,
        images=images,
        steps=steps,
        images_a_second=speed,
        seconds=seconds,
        images_a_second_alone=1 / seconds,
        parts=parts,
        machine=machine_of(torch.device('cpu')),
    )


def _measure_loader(loader: DataLoader, *, steps: int, warmup: int) -> tuple[int, float]:
    """Return how many images most batches have, and how many come in a second."""
    batches = _endless(loader)
    for _ in range(warmup):
        next(batches)
    begun = time.perf_counter()
    images = [len(next(batches)['inputs']) for _ in range(steps)]
    seconds = time.perf_counter() - begun
    batches.close()
    return statistics.mode(images), sum(images) / seconds


def _measure_alone(dataset: Dataset, *, images: int) -> dict[str, float]:
    """Return the mean seconds of an image in each transform, of some chosen at random."""
    stopwatch = Stopwatch(torch.device('cpu'), rest=_REST)
    length = len(dataset)  # pyrefly: ignore[bad-argument-type]: torch's base has none
    chosen = torch.randint(length, (images,), generator=torch.Generator().manual_seed(0)).tolist()
    with ExitStack() as stack:
        for transform in _transforms(dataset):
            # What is no class of mmcv's is a part of the rest.
            if isinstance(transform, BaseTransform):
                name = type(transform).__name__
                stack.enter_context(timed(stopwatch, transform, 'transform', name))
        stopwatch.lap()
        for index in chosen:
            dataset[index]
        return {name: seconds / images for name, seconds in stopwatch.lap().items()}


def _transforms(dataset: object) -> Iterator[object]:
    """Yield the transforms of a data set, before them those of data sets that it is made of."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for each in inner:
        if each is not None:
            yield from _transforms(each)
    yield from getattr(getattr(dataset, 'pipeline', None), 'transforms', ())


def _endless(loader: DataLoader) -> Generator:
    for epoch in itertools.count():
        yielded = False
        for batch in batches_from(loader, epoch=epoch, first=0):
            yield batch
            yielded = True
        if not yielded:
            raise UserError('train_dataloader has no batch: has its data set any image?')
