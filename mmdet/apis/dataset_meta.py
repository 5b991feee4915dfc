"""What a detector's classes are called, and which colours they have."""

import logging
from collections.abc import Mapping, Sequence

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope

from mmdet.datasets.coco_classes import COCO_CLASSES
from mmdet.engine.config import datasets_of, metainfo_of
from mmdet.errors import UserError
from mmdet.visualization.palette import class_colors

_LOADERS = ('test_dataloader', 'val_dataloader', 'train_dataloader')


def dataset_meta(
    cfg: Config, content: Mapping, number: int, *, source: str, checkpoint: str
) -> dict:
    """Return `classes`, and `palette` if there is one.

    As in mmdetection, the checkpoint knows the classes best, and the config the colours.

    Args:
        cfg: the model's config.
        content: of its checkpoint.
        number: of classes that the model tells apart.
        source: what to call the config.
        checkpoint: what to call the checkpoint.

    Raises:
        UserError: the config is to name them, and names more or fewer.
    """
    with DefaultScope.overwrite_default_scope('mmdet'):
        configured = _configured(cfg)
    carried = _carried(content, number, source=checkpoint)
    meta = carried | configured | {key: carried[key] for key in carried if key == 'classes'}
    if len(meta['classes']) != number:
        raise UserError(
            f'{source}: the model has {number} classes, but {len(meta["classes"])} are named: '
            'set metainfo in test_dataloader.dataset'
        )
    if 'palette' in meta:
        meta['palette'] = class_colors(meta['palette'], number)
    return meta


def _configured(cfg: Config) -> dict:
    """Return the classes, and perhaps the palette, of the first data set of a config that has them.

    Without one, the classes are COCO's if they are 80.
    """
    for dataset in (each for name in _LOADERS for each in datasets_of(cfg.get(name))):
        found = _meta(metainfo_of(dataset))
        if 'classes' in found:
            return found
    number = cfg.model.mask_head.num_classes
    if number == len(COCO_CLASSES):
        return dict(classes=COCO_CLASSES)
    return dict(classes=tuple(f'class {index}' for index in range(number)))


def _carried(content: Mapping, number: int, *, source: str) -> dict:
    """Return the classes and the palette that a checkpoint of any mmdetection names for a model."""
    meta = content.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    named = meta.get('dataset_meta')  # 3.x; 2.x has them in `meta` itself
    found = _meta(named if isinstance(named, Mapping) else meta)
    strange = [key for key, values in found.items() if len(values) != number]
    if 'classes' in strange:
        print_log(
            f'{source} names {len(found["classes"])} classes for a model of {number}: those of the '
            'config are taken',
            logger='current',
            level=logging.WARNING,
        )
    return {key: values for key, values in found.items() if key not in strange}


def _meta(named: Mapping) -> dict:
    """Return the `classes` and the `palette` in it, in small letters or capitals, if there are."""
    lower = {str(key).lower(): value for key, value in named.items()}
    classes, palette = lower.get('classes'), lower.get('palette')
    found: dict = {}
    if isinstance(classes, str):  # how one class is written by mistake
        found['classes'] = (classes,)
    elif isinstance(classes, Sequence):
        found['classes'] = tuple(map(str, classes))
    if isinstance(palette, list | tuple) and palette:
        colors = [tuple(color) for color in palette if isinstance(color, list | tuple)]
        if len(colors) == len(palette):
            found['palette'] = colors
    return found
