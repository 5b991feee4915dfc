"""How images are grouped into batches."""

from collections.abc import Iterator

from mmengine.dataset import BaseDataset, ConcatDataset
from torch.utils.data import BatchSampler, Sampler

from mmdet.datasets.image_file import UnusableImageError
from mmdet.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class AspectRatioBatchSampler(BatchSampler):
    """Batches of images that are all upright or all not, so that little padding is needed.

    Images are taken in the order of `sampler`; what is left of both kinds at the end is mixed,
    so that none is lost.

    Args:
        sampler: yields indices of its `dataset`.
        batch_size: at least 1.
        drop_last: leave out the last batch if it is smaller.
    """

    def __init__(self, sampler: Sampler, batch_size: int, drop_last: bool = False) -> None:
        super().__init__(sampler, batch_size, drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        groups: dict[bool, list[int]] = {False: [], True: []}
        assert hasattr(self.sampler, 'dataset')
        for index in self.sampler:
            group = groups[is_upright(self.sampler.dataset, index)]
            group.append(index)
            if len(group) == self.batch_size:
                yield group.copy()
                group.clear()
        rest = groups[True] + groups[False]
        for start in range(0, len(rest), self.batch_size):
            batch = rest[start : start + self.batch_size]
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch


def is_upright(dataset: BaseDataset | ConcatDataset, index: int) -> bool:
    """Return whether an image is higher than wide; not if its annotation cannot be read."""
    try:
        info = dataset.get_data_info(index)
    except UnusableImageError:  # another one takes its place when it is loaded
        return False
    return info['width'] < info['height']
