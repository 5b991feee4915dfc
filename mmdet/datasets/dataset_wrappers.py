"""Data sets made of other data sets, in any nesting.

mmengine's `ClassBalancedDataset` asks what it repeats for `get_cat_ids`, which its own
`ConcatDataset` and `RepeatDataset` do not have. All three copy the `metainfo` of what they wrap
when they are built, when some formats do not know their classes yet (`lazy_init`).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from mmengine.dataset import ClassBalancedDataset as MMEngineClassBalancedDataset
from mmengine.dataset import ConcatDataset as MMEngineConcatDataset
from mmengine.dataset import RepeatDataset as MMEngineRepeatDataset
from torch.utils.data import Dataset

from mmdet.errors import UserError
from mmdet.registry import DATASETS, TRANSFORMS


def layers(dataset: Dataset) -> Iterator[Dataset]:
    """Yield a data set and, if it is a wrapper, all that it wraps."""
    yield dataset
    for each in _wrapped(dataset):
        yield from layers(each)


def innermost(dataset: Dataset) -> Iterator[Dataset]:
    """Yield the data sets inside of wrappers."""
    return (each for each in layers(dataset) if not _wrapped(each))


def with_pipelines(dataset: Dataset) -> Iterator[Dataset]:
    """Yield the outermost data sets that have a `pipeline`: what it gives goes into batches."""
    if hasattr(dataset, 'pipeline'):
        yield dataset
        return
    for each in _wrapped(dataset):
        yield from with_pipelines(each)


def _wrapped(dataset: Dataset) -> list[Dataset]:
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return [each for each in inner if each is not None]


@DATASETS.register_module()
class ConcatDataset(MMEngineConcatDataset):
    """Several data sets one after the other.

    Args:
        datasets: their configs.
        lazy_init: leave the annotation files unread until they are needed.
        ignore_keys: of the metainfo, in which they may differ; what counts is the first data set's.

    Raises:
        UserError: their metainfo is not the same.
    """

    def __init__(
        self,
        datasets: Sequence[BaseDataset | dict],
        lazy_init: bool = False,
        ignore_keys: str | list[str] | None = None,
    ) -> None:
        try:
            super().__init__(datasets, lazy_init, ignore_keys)
        except (ValueError, TypeError):
            ignored = [ignore_keys] if isinstance(ignore_keys, str) else ignore_keys or []
            difference = _difference(self.datasets, ignored)
            if difference is None:
                raise
            raise UserError(f'ConcatDataset: {difference}') from None

    @property
    def metainfo(self) -> dict:
        """That of the first data set."""
        return self.datasets[0].metainfo

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels in an image, once for each instance to learn."""
        dataset_index, sample_index = self._get_ori_dataset_idx(idx)
        return self.datasets[dataset_index].get_cat_ids(sample_index)


@DATASETS.register_module()
class RepeatDataset(MMEngineRepeatDataset):
    """A data set several times over; see mmengine's class for the arguments."""

    @property
    def metainfo(self) -> dict:
        """The other data set's."""
        return self.dataset.metainfo

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels in an image, once for each instance to learn."""
        return self.dataset.get_cat_ids(self._get_ori_dataset_idx(idx))


@DATASETS.register_module()
class ClassBalancedDataset(MMEngineClassBalancedDataset):
    """A data set whose images of rare classes come several times; see mmengine's class."""

    @property
    def metainfo(self) -> dict:
        """The other data set's."""
        return self.dataset.metainfo


@DATASETS.register_module()
class MultiImageMixDataset:
    """Samples that are mixed from several images of another data set.

    The other data set loads and transforms single images. Before a transform here that has a
    method `get_indexes(dataset)`, such as `CopyPaste`, the images of those indices are put into
    `results['mix_results']`. Where a transform returns None the sample is begun anew, from the
    same image with other random numbers.

    Args:
        dataset: the other data set or its config; its pipeline ends before `PackDetInputs`.
        pipeline: the configs of the transforms.
        skip_type_keys: types of transforms in it to leave out.
        max_refetch: a sample is begun at most so often.
        lazy_init: leave the annotation file unread until it is needed.

    Attributes:
        pipeline: the transforms.
    """

    def __init__(
        self,
        dataset: BaseDataset | dict,
        pipeline: Sequence[dict],
        skip_type_keys: Sequence[str] | None = None,
        max_refetch: int = 15,
        lazy_init: bool = False,
    ) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.pipeline = Compose(
            [
                TRANSFORMS.build(transform)
                for transform in pipeline
                if transform['type'] not in (skip_type_keys or ())
            ]
        )
        self.max_refetch = max_refetch
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """The other data set's."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Read the annotation file, if that is not done."""
        self.dataset.full_init()

    def get_data_info(self, index: int) -> dict:
        """Return the annotation of the image that sample `index` begins with."""
        return self.dataset.get_data_info(index)

    def get_cat_ids(self, index: int) -> list[int]:
        """Return the labels in the image that sample `index` begins with."""
        return self.dataset.get_cat_ids(index)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        """Return a sample.

        Raises:
            UserError: it came to nothing `max_refetch` times.
        """
        for _ in range(self.max_refetch):
            results = self._sample(index)
            if results is not None:
                return results
        raise UserError(
            f'sample {index} of MultiImageMixDataset came to nothing {self.max_refetch} times: '
            "do its transforms, or its inner data set's, leave no instance (FilterAnnotations, "
            'RandomCrop)?'
        )

    def _sample(self, index: int) -> dict | None:
        """Return a sample, or None where an image or a transform comes to nothing."""
        results = self.dataset[index]
        for transform in self.pipeline.transforms:
            if results is None:
                return None
            if hasattr(transform, 'get_indexes'):
                others = np.atleast_1d(transform.get_indexes(self.dataset)).tolist()
                mixed = [self.dataset[other] for other in others]
                if None in mixed:
                    return None
                results = {**results, 'mix_results': mixed}
            results = transform(results)
            if results is not None:
                results.pop('mix_results', None)
        return results


def _difference(datasets: Sequence[BaseDataset], ignored: Sequence[str]) -> str | None:
    """Say where the metainfo of data sets differs, and what to do; None if nowhere."""
    for place, dataset in enumerate(datasets[1:], start=1):
        first, other = datasets[0].metainfo, dataset.metainfo
        for key in sorted((first.keys() | other.keys()) - set(ignored)):
            if not np.array_equal(first.get(key, ()), other.get(key, ())):
                return (
                    f'datasets.{place} has {key} {other.get(key)}, and datasets.0 has '
                    f'{first.get(key)}: set the same metainfo=dict({key}=...) in both'
                    + ('' if key == 'classes' else f', or ignore_keys={key!r}')
                )
    return None
