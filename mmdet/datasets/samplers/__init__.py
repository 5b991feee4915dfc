"""Which images come next, and how they are grouped into batches."""

from .batch_sampler import AspectRatioBatchSampler
from .class_aware_sampler import ClassAwareSampler
from .multi_source_sampler import GroupMultiSourceSampler, MultiSourceSampler

__all__ = [
    'AspectRatioBatchSampler',
    'ClassAwareSampler',
    'GroupMultiSourceSampler',
    'MultiSourceSampler',
]
