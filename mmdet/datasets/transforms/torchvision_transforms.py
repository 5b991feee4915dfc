"""torchvision's `transforms.v2`, of which each knows images, boxes and masks."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import ClassVar

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2.functional import convert_bounding_box_format

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from mmdet.structures.masks import BitmapMasks

from .instances import INSTANCE_KEYS, select_instances
from .warp import clip_boxes

_XYXY = tv_tensors.BoundingBoxFormat.XYXY
_OF_BATCHES = ('CutMix', 'MixUp')


@TRANSFORMS.register_module()
class TorchVision(BaseTransform):
    """Apply transforms of torchvision's, by their names there, to image, boxes and masks.

    They get RGB, also for `fill`, which fills the image alone. Boxes are cut at the border of what
    comes out; an instance whose box has no extent there is left out, with its label and its mask.
    It is for training: what it does to an image's size is not undone in testing, where `Resize` is.

    Args:
        transforms: a dict each, its `type` the class's name in `torchvision.transforms.v2`, the
            rest its arguments; `interpolation` by its name, such as `bilinear`. `RandomApply`,
            `RandomChoice` and `RandomOrder` take such dicts, too.

    Raises:
        UserError: there is no such transform, it does not take these arguments, or it is one of
            batches; later, the image is not uint8, or what comes out is no image.

    Examples:
        >>> transform = TorchVision([dict(type='RandomGrayscale', p=1.0)])
        >>> grey = transform(dict(img=np.full((4, 6, 3), (0, 0, 255), np.uint8)))
        >>> grey['img'][0, 0].tolist()
        [76, 76, 76]
    """

    foreign: ClassVar = frozenset({'transforms'})  # the arguments that name no class of ours

    def __init__(self, transforms: Sequence[dict]) -> None:
        self.pipeline = v2.Compose(_built_all(transforms))

    def transform(self, results: dict) -> dict:
        """Return changed results."""
        image = results['img']
        if image.dtype != np.uint8:
            raise UserError(
                f'TorchVision needs a uint8 image, not {image.dtype}: put it before '
                'PhotoMetricDistortion, and load without to_float32'
            )
        numbers = [len(results[key]) for key in INSTANCE_KEYS if key in results]
        given: dict = dict(
            image=tv_tensors.Image(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))),
            # By this name `SanitizeBoundingBoxes` leaves out what belongs to a box.
            labels=torch.arange(numbers[0] if numbers else 0),
        )
        if 'gt_bboxes' in results:
            boxes = torch.tensor(results['gt_bboxes'])
            given['boxes'] = tv_tensors.BoundingBoxes(
                boxes,
                format=_XYXY,  # pyrefly: ignore[unexpected-keyword]
                canvas_size=image.shape[:2],  # pyrefly: ignore[unexpected-keyword]
            )
        if 'gt_masks' in results:
            given['masks'] = tv_tensors.Mask(torch.tensor(results['gt_masks'].masks))
        try:
            found = self.pipeline(given)
        except (TypeError, ValueError) as error:  # it says so where it meets an image
            raise UserError(f'TorchVision: {error}') from error
        return _results_of(found, results)


def _results_of(found: object, results: dict) -> dict:
    """Return the results with what came out of the transforms."""
    image = found.get('image') if isinstance(found, dict) else None
    if (
        not isinstance(image, torch.Tensor)
        or image.dtype != torch.uint8
        or image.shape[:-2] != (3,)
    ):
        raise UserError(
            'TorchVision: what comes out of its transforms is no uint8 image of three channels: '
            'leave out those that make something else of it, such as ToDtype or FiveCrop'
        )
    assert isinstance(found, dict)
    shape = (image.shape[-2], image.shape[-1])
    changed = select_instances(results, found['labels'].numpy())
    changed['img'] = np.ascontiguousarray(image.numpy().transpose(1, 2, 0)[..., ::-1])
    changed['img_shape'] = shape
    if 'gt_masks' in results:
        changed['gt_masks'] = BitmapMasks(found['masks'].numpy(), *shape)
    if 'gt_bboxes' not in results:
        return changed
    boxes = convert_bounding_box_format(found['boxes'], new_format=_XYXY)
    boxes = clip_boxes(boxes.numpy().reshape(-1, 4).astype(np.float32), shape)
    changed['gt_bboxes'] = boxes
    return select_instances(changed, np.all(boxes[:, 2:] > boxes[:, :2], axis=1))


def _built_all(transforms: object) -> list[v2.Transform]:
    if not isinstance(transforms, list | tuple) or not transforms:
        raise UserError(f'TorchVision: transforms is {transforms!r}, not a list of dicts')
    return [_built(each) for each in transforms]


def _built(config: object) -> v2.Transform:
    name = config.get('type') if isinstance(config, Mapping) else None
    if not isinstance(name, str) or not isinstance(config, Mapping):
        raise UserError(f"TorchVision: {config!r} is not a dict with a transform's name as type")
    known = [key for key, value in vars(v2).items() if _is_transform(value)]
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f'; did you mean {close[0]!r}?' if close else ''
        raise UserError(f'TorchVision: torchvision.transforms.v2 has no {name!r}{hint}')
    if name in _OF_BATCHES:
        raise UserError(f'TorchVision: {name} is for batches of classification')
    arguments = {key: value for key, value in config.items() if key != 'type'}
    if 'transforms' in arguments:
        arguments['transforms'] = _built_all(arguments['transforms'])
    if not isinstance(arguments.get('fill', {}), dict):
        # torchvision would fill masks by the colour, too.
        arguments['fill'] = {tv_tensors.Image: arguments['fill'], 'others': 0}
    try:
        if isinstance(arguments.get('interpolation'), str):
            arguments['interpolation'] = InterpolationMode(arguments['interpolation'])
        return getattr(v2, name)(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f'TorchVision: {name}: {error}') from error


def _is_transform(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, v2.Transform) and value != v2.Transform
