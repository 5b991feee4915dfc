"""What a pipeline delivers of an image's objects, found out without the image.

The steps that decide where objects are in the network's input are the project's own; of the image
they need its height and width alone. What is random in them is replaced by its middle, or left out.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmcv import rescale_size
from mmengine.structures import InstanceData

from mmdet.datasets.transforms import (
    FilterAnnotations,
    LoadAnnotations,
    LoadImageFromFile,
    PackDetInputs,
    Pad,
    RandomChoiceResize,
    RandomFlip,
    RandomResize,
    Resize,
)
from mmdet.datasets.transforms.instances import select_instances
from mmdet.engine.config import is_a
from mmdet.registry import TRANSFORMS

# They change nothing of where objects are, or their turn is always the same.
_SILENT = (LoadImageFromFile, LoadAnnotations, PackDetInputs)


class Delivered(NamedTuple):
    """The objects of an image as a network gets them.

    Attributes:
        instances: `bboxes`, `labels` and `masks`; ignored ones are not among them.
        shape: (height, width) of the image in pixels.
        factor: (w, h), how many times as wide and high it is as its file.
    """

    instances: InstanceData
    shape: tuple[int, int]
    factor: tuple[float, float]


class Delivery:
    """A pipeline without images, and without chance.

    Args:
        steps: the pipeline's config.

    Attributes:
        assumed: what differs from the pipeline, in sentences.
    """

    def __init__(self, steps: Sequence[Mapping]) -> None:
        self.assumed: list[str] = []
        self._load = LoadAnnotations(with_mask=True)
        self._steps = [kept for step in steps if (kept := self._kept(step)) is not None]

    def __call__(self, item: dict) -> Delivered:
        """Return the objects of an item of a data list."""
        height, width = item['height'], item['width']
        shape = height, width
        results: dict = {**item, 'img': _blank(shape), 'img_shape': shape, 'ori_shape': shape}
        for step in (self._load, *self._steps):
            given = step.transform(results)
            # Of an image that is skipped in training, nothing is learned.
            results = given if isinstance(given, dict) else _without_objects(results)
        results = select_instances(results, ~results['gt_ignore_flags'])
        instances = InstanceData(
            bboxes=torch.from_numpy(results['gt_bboxes']),
            labels=torch.from_numpy(results['gt_bboxes_labels']),
            masks=results['gt_masks'],
        )
        return Delivered(instances, results['img_shape'], results.get('scale_factor', (1.0, 1.0)))

    def _kept(self, step: Mapping) -> 'Resize | Pad | FilterAnnotations | None':
        if any(is_a(step, TRANSFORMS, cls) for cls in _SILENT):
            return None
        if is_a(step, TRANSFORMS, RandomFlip):
            self.assumed.append('no image is flipped')
            return None
        if is_a(step, TRANSFORMS, FilterAnnotations):
            return TRANSFORMS.build(dict(step))
        if is_a(step, TRANSFORMS, Resize):
            return _ResizeBlank(**_arguments(step))
        if is_a(step, TRANSFORMS, Pad):
            return _PadBlank(**_arguments(step))
        if is_a(step, TRANSFORMS, RandomResize) or is_a(step, TRANSFORMS, RandomChoiceResize):
            return self._middle(step)
        kind = step.get('type')
        name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
        self.assumed.append(f'{name} is left out')
        return None

    def _middle(self, step: Mapping) -> 'Resize':
        built = TRANSFORMS.build(dict(step))
        if isinstance(built, RandomResize):
            scale = _middle_of(built)
            words = 'of all sizes that RandomResize draws, the middle one'
        else:
            scales = [(each, each) if isinstance(each, int) else each for each in built.scales]
            scale = sorted(scales, key=np.prod)[len(scales) // 2]
            words = 'of the sizes that RandomChoiceResize draws, the middle one'
        self.assumed.append(f'{words}, {scale[0]} x {scale[1]}')
        inner = built.resize
        return _ResizeBlank(
            scale=scale, keep_ratio=inner.keep_ratio, clip_object_border=inner.clip_object_border
        )


def _without_objects(results: dict) -> dict:
    return select_instances(results, np.zeros(0, int))


def _arguments(step: Mapping) -> dict:
    return {key: value for key, value in step.items() if key not in ('type', '_scope_')}


def _middle_of(step: RandomResize) -> tuple[int, int]:
    scales = np.atleast_2d(np.array(step.scale))
    width, height = scales.mean(0) * np.mean(step.ratio_range or (1.0,))
    return int(width), int(height)


def _blank(shape: tuple[int, int]) -> np.ndarray:
    """Return an image of that height and width that takes no memory."""
    return np.broadcast_to(np.uint8(0), (*shape, 3))


class _ResizeBlank(Resize):
    """Resizes boxes and masks, and of the image its shape."""

    def _resize_img(self, results: dict) -> None:
        height, width = results['img'].shape[:2]
        scale = tuple(results['scale'])
        new = rescale_size((width, height), scale) if self.keep_ratio else scale
        results['img_shape'] = new[1], new[0]
        results['img'] = _blank(results['img_shape'])
        results['scale_factor'] = new[0] / width, new[1] / height


class _PadBlank(Pad):
    """Pads masks, and of the image its shape."""

    def _pad_img(self, results: dict) -> None:
        height, width = results['img'].shape[:2]
        if self.pad_to_square:
            height = width = max(height, width)
        if self.size_divisor is not None:
            height, width = (
                -(-side // self.size_divisor) * self.size_divisor for side in (height, width)
            )
        elif self.size is not None:
            height, width = max(height, self.size[1]), max(width, self.size[0])
        results['img_shape'] = height, width
        results['img'] = _blank((height, width))
