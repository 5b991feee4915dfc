"""Data sets whose pipeline changes with the epoch of the sample that is asked for."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import Compose
from torch.utils.data import Dataset

from mmdet.datasets.dataset_wrappers import with_pipelines
from mmdet.registry import TRANSFORMS


class PipelinesOfEpochs:
    """Which pipeline the samples of an epoch go through: at first, the data set's own.

    It is in the copies of the data set that workers have, so it must be complete before they start.

    Args:
        dataset: with wrappers or without. The pipeline that changes is that of the outermost data
            sets that have one: inside of `RepeatDataset` and its like, but not inside of
            `MultiImageMixDataset`, which has its own.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._datasets: list[Any] = list(with_pipelines(dataset))
        self._pipelines = [[(0, each.pipeline)] for each in self._datasets]

    def begin(self, epoch: int, pipeline: Sequence[dict]) -> int:
        """Let samples go through another pipeline from an epoch on.

        Args:
            epoch: its number from 0.
            pipeline: configs of the transforms.

        Returns:
            Of how many data sets it is; each has transforms of its own.
        """
        for pipelines in self._pipelines:
            built = Compose([TRANSFORMS.build(transform) for transform in pipeline])
            pipelines.append((epoch, built))
            pipelines.sort(key=lambda each: each[0])  # of the same epoch, the last wins
        return len(self._pipelines)

    def choose(self, epoch: int) -> None:
        """Give the data sets the pipelines of an epoch."""
        for dataset, pipelines in zip(self._datasets, self._pipelines, strict=True):
            dataset.pipeline = next(each for begin, each in reversed(pipelines) if begin <= epoch)
