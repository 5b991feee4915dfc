"""The heaviest batch of so many images that a training is likely to meet."""

import numpy as np
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from torch.utils.data import Dataset

_EPOCHS = 12
_COUNTED = 20_000
_DRAWN = 64


class HeavyBatches:
    """Batches of a data set's own images, as many instances together as random batches reach.

    That is the most of some epochs: a batch of nothing but the image with most instances never
    comes. One image is padded to the largest height and the largest width that the pipeline gave
    in some draws, and so are all when they are stacked.

    Args:
        dataset: a data set of training; its samples are `inputs` and `data_samples`.

    Attributes:
        size: the (height, width) that batches get, before the preprocessor rounds them up.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._rng = np.random.default_rng(0)
        self.size = self._largest()
        self._indices, self._counts = self._count()

    def __len__(self) -> int:
        return len(self._dataset)  # pyrefly: ignore[bad-argument-type]: torch's base has none

    def of(self, images: int) -> dict:
        """Return a batch, collated."""
        samples = [self._dataset[index] for index in self._heavy(images)]
        height, width = samples[0]['inputs'].shape[-2:]
        missing = (0, max(self.size[1] - width, 0), 0, max(self.size[0] - height, 0))
        samples[0] = {**samples[0], 'inputs': F.pad(samples[0]['inputs'], missing)}
        return pseudo_collate(samples)

    def _largest(self) -> tuple[int, int]:
        drawn = np.linspace(0, len(self) - 1, min(_DRAWN, len(self))).astype(int)
        sizes = [self._dataset[int(index)]['inputs'].shape[-2:] for index in drawn]
        return max(height for height, _ in sizes), max(width for _, width in sizes)

    def _count(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of images, and how many instances each has."""
        indices = np.arange(len(self))
        info = getattr(self._dataset, 'get_data_info', None)
        if len(indices) > _COUNTED:
            indices = self._rng.choice(indices, _COUNTED, replace=False)
        if not callable(info):
            return indices, np.zeros(len(indices), dtype=int)
        return indices, np.array([len(info(int(each)).get('instances', ())) for each in indices])

    def _heavy(self, images: int) -> list[int]:
        """Return the indices of the batch with most instances in some epochs of random batches."""
        if images > len(self._indices):
            return [int(each) for each in np.resize(self._indices, images)]
        batches = len(self._indices) // images
        best, most = np.arange(images), -1
        for _ in range(_EPOCHS):
            order = self._rng.permutation(len(self._indices))[: batches * images]
            order = order.reshape(batches, images)
            totals = self._counts[order].sum(1)
            if totals.max() > most:
                best, most = order[totals.argmax()], totals.max()
        return [int(each) for each in self._indices[best]]
