"""That the head has as many classes as the data sets."""

import logging

from mmengine.runner import BaseLoop, Runner

from mmdet.datasets.dataset_wrappers import innermost
from mmdet.errors import UserError

from .wrapper import unwrapped


def check_classes(runner: Runner, loop: BaseLoop | None) -> None:
    """Hold the head's `num_classes` against the classes of each data set of a loop.

    A data set that does not say its classes is named in the log.

    Raises:
        UserError: one has another number, or its classes are no list of names.
    """
    head = getattr(unwrapped(runner.model), 'mask_head', None)
    number = getattr(head, 'num_classes', None)
    loader = getattr(loop, 'dataloader', None)
    if number is None or loader is None:
        return
    for dataset in innermost(loader.dataset):
        classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
        name = getattr(dataset, 'source', type(dataset).__name__)
        if isinstance(classes, str):
            raise UserError(
                f"{name}: metainfo has classes={classes!r}, which is one name's letters: write "
                f'classes=({classes!r},)'
            )
        if classes is None:
            runner.logger.log(
                logging.WARNING,
                f'{name} says no classes in its metainfo, so that they cannot be held against '
                f'model.mask_head.num_classes={number}',
            )
        elif len(classes) != number:
            raise UserError(
                f'{name} has {len(classes)} classes, but '
                f'model.mask_head.num_classes is {number}: set it to {len(classes)}, or name the '
                "classes to use in the data set's metainfo"
            )
