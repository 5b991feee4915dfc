"""A data set's objects as its pipeline delivers them, without their masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet.engine.random_state import Use, generators_put_back, seed_generators
from mmdet.errors import UserError
from mmdet.models.assigners import Coverage, GroundTruth, grid_coverage, locate_instances
from mmdet.registry import DATASETS


@dataclass(frozen=True)
class Objects:
    """The instances of B images.

    Attributes:
        truth: where they are, in pixels of the input.
        sizes: (B, 2) heights and widths of the images, before they are padded.
        divisor: what images are padded to multiples of.
    """

    truth: GroundTruth
    sizes: Tensor
    divisor: int

    def resized(self, factor: float) -> 'Objects':
        """Return the objects of images that are so many times as high and wide."""
        truth = replace(
            self.truth,
            bboxes=self.truth.bboxes * factor,
            centers=self.truth.centers * factor,
            # One of a few pixels does not vanish: what is drawn of it is the pipeline's to say.
            areas=(self.truth.areas * factor**2).ceil().long(),
        )
        return replace(self, truth=truth, sizes=(self.sizes * factor).round().clamp(min=1))

    def padded_sizes(self) -> Tensor:
        """Return the (B, 2) heights and widths of the images, each padded by itself."""
        return (self.sizes / self.divisor).ceil() * self.divisor

    def coverage(
        self,
        num_grids: Sequence[int],
        scale_ranges: Sequence[Sequence[float]],
        pos_scale: float,
    ) -> Coverage:
        """Return what such grids learn of them; each image is padded by itself."""
        return grid_coverage(
            self.truth,
            image_sizes=self.padded_sizes(),
            num_grids=num_grids,
            scale_ranges=scale_ranges,
            pos_scale=pos_scale,
        )


def objects_of_training(cfg: Mapping | Config, *, max_images: int) -> Objects:
    """Return the objects that a config's training is about, see `collect_objects`."""
    return collect_objects(
        DATASETS.build(cfg['train_dataloader']['dataset']),
        divisor=cfg['model'].get('data_preprocessor', {}).get('pad_size_divisor', 1),
        max_images=max_images,
    )


def collect_objects(
    dataset: BaseDataset, *, divisor: int, max_images: int, seed: int = 0
) -> Objects:
    """Run a data set's pipeline, and keep where the objects are.

    They are the same at each call: an image's place in the data set says what is drawn for it.

    Args:
        dataset: of a training.
        divisor: what images are padded to multiples of.
        max_images: of more, so many are drawn by chance.
        seed: of that chance, and of what the pipeline draws.

    Raises:
        UserError: there are no objects.
    """
    chosen = np.random.default_rng(seed).permutation(len(dataset))[:max_images]
    instances: list[InstanceData] = []
    sizes: list[tuple[int, ...]] = []
    with generators_put_back():
        for index in chosen.tolist():
            seed_generators(seed, Use.SAMPLE, index)
            item = dataset[index]
            instances.append(item['data_samples'].gt_instances)
            sizes.append(tuple(item['inputs'].shape[-2:]))
    truth = locate_instances(instances)
    if not len(truth.areas):
        raise UserError(f'there are no objects in {len(chosen)} images of the training')
    return Objects(truth, torch.tensor(sizes, dtype=torch.float32), divisor)
