"""The ground truth of a batch, all images' instances in one row, as the targets need it.

Shape letters: T instances in the batch; H, W the padded input.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet.errors import UserError
from mmdet.structures import DetDataSample

# Of bitmaps that exist together: 128 MB for them, and as much again twice while they are made.
_MAX_PIXELS = 1 << 27


@dataclass
class GroundTruth:
    """The instances of a batch in the order of its images and annotations.

    All but the masks is on the CPU, where shapes may depend on it without a wait for the device.

    Attributes:
        image: (T,) index of the image in the batch.
        labels: (T,) class indices.
        bboxes: (T, 4) xyxy in pixels of the input.
        centers: (T, 2) the masks' centres of mass, y and x, in pixels of the input.
        areas: (T,) numbers of pixels of the masks.
        masks: (T, H / s, W / s) uint8 mask targets for each stride s that was asked for, on the
            samples' device; none of instances that were only located.
    """

    image: Tensor
    labels: Tensor
    bboxes: Tensor
    centers: Tensor
    areas: Tensor
    masks: dict[int, Tensor]


@torch.no_grad()
def gather_ground_truth(
    batch_data_samples: Sequence[DetDataSample],
    *,
    image_size: tuple[int, int],
    mask_strides: Iterable[int],
) -> GroundTruth:
    """Collect the annotations of a batch and scale its masks down.

    The one place of a forward pass that waits for the device, once: for the masks' centres.

    The bitmaps at full size exist for one image at a time, and of that not for all of very many.

    Args:
        batch_data_samples: with `gt_instances`, their masks packed.
        image_size: (H, W), divisible by every stride.
        mask_strides: of the mask targets.

    Raises:
        UserError: a sample has no masks.
    """
    instances = [sample.gt_instances for sample in batch_data_samples]
    _check_masks(instances)
    mask_strides = set(mask_strides)
    centers: list[Tensor] = []
    areas: list[Tensor] = []
    scaled: dict[int, list[Tensor]] = {stride: [] for stride in mask_strides}
    for instance in instances:
        packed = instance.masks.pad(image_size)
        step = max(1, _MAX_PIXELS // (image_size[0] * image_size[1]))
        for start in range(0, max(1, len(packed)), step):
            masks = packed[start : start + step].to_tensor()
            center, area = center_of_mass(masks)
            centers.append(center)
            areas.append(area)
            for stride in mask_strides:
                scaled[stride].append(scale_down(masks, stride))
    labels, bboxes, center, area = _on_host(
        torch.cat([instance.labels for instance in instances]),
        torch.cat([instance.bboxes for instance in instances]),
        torch.cat(centers),
        torch.cat(areas),
    )
    return GroundTruth(
        image=_image_of_each(instances),
        labels=labels,
        bboxes=bboxes,
        centers=center,
        areas=area,
        masks={stride: torch.cat(masks) for stride, masks in scaled.items()},
    )


@torch.no_grad()
def locate_instances(instances: Sequence[InstanceData]) -> GroundTruth:
    """Collect where the annotations of images are, to the bit as a training does, without masks.

    It is quick enough for whole data sets: no mask is drawn but within its box, and of run lengths
    (`CodedMasks`) none at all.

    Args:
        instances: of each image, on the CPU: `labels`, `bboxes` and `masks`, which may be packed or
            bitmaps of any kind.

    Raises:
        UserError: an image has no masks.
    """
    _check_masks(instances)
    moments = [torch.from_numpy(instance.masks.moments()) for instance in instances]
    area, y, x = torch.cat([torch.zeros(0, 3, dtype=torch.long), *moments]).unbind(1)
    return GroundTruth(
        image=_image_of_each(instances),
        labels=torch.cat([torch.zeros(0).long(), *(instance.labels for instance in instances)]),
        bboxes=torch.cat([torch.zeros(0, 4), *(instance.bboxes for instance in instances)]),
        centers=_center(y, x, area),
        areas=area,
        masks={},
    )


def _check_masks(instances: Sequence[InstanceData]) -> None:
    if not all('masks' in instance for instance in instances):
        raise UserError(
            'the training data has no masks: set with_mask=True in the LoadAnnotations of '
            'train_dataloader.dataset.pipeline'
        )


def _image_of_each(instances: Sequence[InstanceData]) -> Tensor:
    sizes = torch.tensor([len(instance.labels) for instance in instances], dtype=torch.long)
    return torch.arange(len(sizes)).repeat_interleave(sizes)


def _on_host(*tensors: Tensor) -> list[Tensor]:
    """Return tensors of one length on the CPU, brought there together.

    Args:
        tensors: of numbers that float64 holds exactly, as it does whole numbers below 2^53.
    """
    columns = [tensor.flatten(1) if tensor.ndim > 1 else tensor[:, None] for tensor in tensors]
    together = torch.cat([column.double() for column in columns], dim=1).cpu()
    parts = together.split([column.shape[1] for column in columns], dim=1)
    return [
        part.reshape(tensor.shape).to(tensor.dtype)
        for part, tensor in zip(parts, tensors, strict=True)
    ]


def center_of_mass(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (N, 2) centres, y and x in pixels, and the (N,) areas of (N, H, W) bitmaps."""
    # A side's pixels fit into int32, of which sums take a quarter of the time of long ones.
    by_row, by_column = (masks.sum(axis, dtype=torch.int32) for axis in (2, 1))
    areas = by_row.sum(1)
    y = (by_row * torch.arange(masks.shape[1], device=masks.device)).sum(1)
    x = (by_column * torch.arange(masks.shape[2], device=masks.device)).sum(1)
    return _center(y, x, areas), areas


def _center(y: Tensor, x: Tensor, areas: Tensor) -> Tensor:
    """Return (N, 2) centres, given sums of y and of x over N masks' pixels, and their numbers."""
    return torch.stack((y, x), 1) / areas.float().clamp(min=1e-6)[:, None]


def scale_down(masks: Tensor, stride: int) -> Tensor:
    """Scale (N, H, W) uint8 bitmaps down by `stride`, as OpenCV's bilinear resize does.

    Without antialiasing an output pixel sees only the two middle pixels each way of its
    stride x stride block (for an odd stride, the one); half of them are enough to set it.
    """
    low, high = (stride - 1) // 2, stride // 2
    pixels = (masks[:, y::stride, x::stride] for y in (low, high) for x in (low, high))
    middle = reduce(torch.add, pixels)
    return (middle >= 2).to(masks.dtype)
