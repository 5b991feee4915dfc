"""albumentations (Buslaev et al. 2020), an extra."""

import os
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import ModuleType
from typing import ClassVar

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.errors import UserError, missing_package
from mmdet.registry import TRANSFORMS
from mmdet.structures.masks import BitmapMasks

from .instances import INSTANCE_KEYS, select_instances

_KEYMAP = dict(img='image', gt_masks='masks', gt_bboxes='bboxes')
_BOXES = np.zeros((0, 4), np.float32)


@TRANSFORMS.register_module()
class Albu(BaseTransform):
    """Apply transforms of albumentations', by their names there, to image, boxes and masks.

    They get BGR, as in mmdetection. An instance whose box is lost is left out with its mask, its
    label and its ignore flag. The random numbers are numpy's, so that a seed decides them, too.

    Args:
        transforms: a dict each, its `type` the class's name in albumentations, the rest its
            arguments; `OneOf`, `SomeOf` and `Sequential` take such dicts, too.
        bbox_params: the arguments of its `BboxParams`, of which `format` is `pascal_voc`. What
            `label_fields` and `filter_lost_elements` ask for is always so.
        keymap: only mmdetection's own, which is the default.
        skip_img_without_anno: an image without instances is skipped (the data set draws another
            one).

    Raises:
        UserError: albumentations is not installed, has no such transform, or that does not take
            these arguments; later, it does not take the image.
    """

    foreign: ClassVar = frozenset({'transforms', 'bbox_params'})  # which name no class of ours

    def __init__(
        self,
        transforms: list[dict],
        bbox_params: dict | None = None,
        keymap: dict | None = None,
        skip_img_without_anno: bool = False,
    ) -> None:
        albumentations = _albumentations()
        if keymap is not None and dict(keymap) != _KEYMAP:
            raise UserError(f'Albu: keymap is {keymap!r}, not {_KEYMAP!r}')
        params = _box_params(bbox_params)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            steps = _built_all(albumentations, transforms)
            try:
                params = albumentations.BboxParams(**params, label_fields=['index'])
            except (TypeError, ValueError) as error:
                raise UserError(f'Albu: bbox_params: {error}') from error
            self.compose = albumentations.Compose(steps, bbox_params=params)
        for each in caught:
            if 'not valid for transform' in str(each.message):  # all that it says of a wrong name
                raise UserError(f'Albu: {each.message}')
            if 'no transform to process it' not in str(each.message):  # of boxes, for colours alone
                warnings.warn(each.message, stacklevel=2)
        self.skip_img_without_anno = skip_img_without_anno

    def transform(self, results: dict) -> dict | None:
        """Return changed results, or None for an image to skip."""
        numbers = [len(results[key]) for key in INSTANCE_KEYS if key in results]
        number = numbers[0] if numbers else 0
        given: dict = dict(image=np.ascontiguousarray(results['img']))
        given['bboxes'] = results.get('gt_bboxes', _BOXES)
        given['index'] = np.arange(len(given['bboxes']))
        if 'gt_masks' in results and number:
            given['masks'] = list(results['gt_masks'].masks.copy())
        self.compose.set_random_seed(int(np.random.randint(2**31)))
        try:
            found = self.compose(**given)
        except (TypeError, ValueError) as error:
            raise UserError(f'Albu: {error}') from error
        image = found['image']
        index = np.array(found['index'], int)
        changed = {**results, 'img': image, 'img_shape': image.shape[:2]}
        if 'gt_bboxes' in results:
            changed = select_instances(changed, index)
            changed['gt_bboxes'] = np.array(found['bboxes'], np.float32).reshape(-1, 4)
            if self.skip_img_without_anno and len(index) == 0:
                return None
        else:
            index = np.arange(number)
        if 'gt_masks' in results:
            masks = [found['masks'][each] for each in index]
            changed['gt_masks'] = BitmapMasks(masks, *image.shape[:2])
        return changed


def _albumentations() -> ModuleType:
    # On import it asks a server for its newest version.
    os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')
    try:
        import albumentations
    except ImportError as error:
        raise missing_package('Albu needs albumentations', 'albu') from error
    return albumentations


def _box_params(given: dict | None) -> dict:
    """Return the arguments of `BboxParams`, but for `label_fields`."""
    params = {'format': 'pascal_voc', 'clip': True, 'filter_invalid_bboxes': True} | (given or {})
    for key in ('type', 'label_fields', 'filter_lost_elements'):
        params.pop(key, None)
    if params['format'] != 'pascal_voc':
        raise UserError(
            f"Albu: bbox_params has format={params['format']!r}, but boxes here are 'pascal_voc'"
        )
    return params


def _built_all(library: ModuleType, transforms: object) -> Sequence:
    if not isinstance(transforms, list | tuple) or not transforms:
        raise UserError(f'Albu: transforms is {transforms!r}, not a list of dicts')
    return [_built(library, each) for each in transforms]


def _built(library: ModuleType, config: object) -> object:
    name = config.get('type') if isinstance(config, Mapping) else None
    if not isinstance(name, str) or not isinstance(config, Mapping):
        raise UserError(f"Albu: {config!r} is not a dict with a transform's name as type")
    kinds = (library.BasicTransform, library.BaseCompose)
    known = [
        key
        for key, value in vars(library).items()
        if isinstance(value, type) and issubclass(value, kinds)
    ]
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f'; did you mean {close[0]!r}?' if close else ''
        raise UserError(f'Albu: albumentations {library.__version__} has no {name!r}{hint}')
    arguments = {key: value for key, value in config.items() if key != 'type'}
    if 'transforms' in arguments:
        arguments['transforms'] = _built_all(library, arguments['transforms'])
    try:
        return getattr(library, name)(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f'Albu: {name}: {error}') from error
