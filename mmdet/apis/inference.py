"""From images in memory to instances, by a detector in evaluation mode."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from torch import nn

from mmdet.engine.config import pipeline_of_tests
from mmdet.errors import UserError
from mmdet.structures import DetDataSample
from mmdet.utils import ConfigType

from .detector import Detector

# What needs annotations, which an image in use has not.
_ANNOTATIONS = ('LoadAnnotations', 'FilterAnnotations')
# What a pipeline leaves.
_BATCH = ('inputs', 'data_samples')


def inference_pipeline(cfg: ConfigType) -> Compose:
    """Return a config's test pipeline, for images of any kind: see `InferencerLoader`.

    Raises:
        UserError: the config has no test pipeline.
    """
    return compose_for_images(pipeline_of_tests(cfg))


def compose_for_images(steps: Sequence[dict]) -> Compose:
    """Return a pipeline of such steps that begins with an image, and without annotations."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        return Compose(_for_images(deepcopy(list(steps))))


def _for_images(steps: Sequence[dict]) -> list[dict]:
    kept = []
    for step in steps:
        name = transform_name(step)
        if name == 'LoadImageFromFile':
            kept.append({**step, 'type': 'InferencerLoader', 'ignore_empty': False})
        elif name == 'TestTimeAug':
            choices = map(_for_images, step['transforms'])
            # Of no step at all there would be no view.
            kept.append({**step, 'transforms': [choice for choice in choices if choice]})
        elif name not in _ANNOTATIONS:
            kept.append(step)
    return kept


def transform_name(step: dict) -> str:
    """Return the class's name of a pipeline's step, without scope or module."""
    kind = step['type']
    return (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]


def infer(model: Detector, images: Sequence[np.ndarray], pipeline: Compose) -> list[DetDataSample]:
    """Find the instances in some images.

    Args:
        model: of `init_detector`; or one of several views, with a pipeline that gives those.
        images: (h, w, 3) uint8 BGR.
        pipeline: of `inference_pipeline`.

    Returns:
        What `detect` does.

    Raises:
        UserError: an image is no such array.
    """
    items = [
        prepared(dict(img=image, img_id=index), pipeline) for index, image in enumerate(images)
    ]
    return detect(model, {key: [item[key] for item in items] for key in _BATCH})


def detect(model: Detector, batch: dict) -> list[DetDataSample]:
    """Find the instances in a batch of what a pipeline has prepared.

    Images of one size go through the network together. Others do not: padded to a common size, an
    image's grid cells would lie elsewhere, and so its result would depend on its neighbours.

    Args:
        model: of `init_detector`.
        batch: for each image `inputs`, (3, h, w) uint8, and `data_samples`; or lists of views.

    Returns:
        A sample for each, on the CPU; `pred_instances` has `scores` (N,), `labels` (N,), `bboxes`
        (N, 4) xyxy around the masks, and `masks`, `RLEMasks` at the image's size, best first.
    """
    found: list[DetDataSample] = []
    pairs = zip(batch['inputs'], batch['data_samples'], strict=True)
    for _, group in groupby(pairs, key=lambda pair: _shapes(pair[0])):
        together = pseudo_collate([dict(zip(_BATCH, pair, strict=True)) for pair in group])
        # Not inference_mode: scripts change results in place.
        with torch.no_grad(), _in_evaluation(model):
            predicted = model.test_step(together)
        found += [sample.cpu() for sample in predicted]
    for sample in found:
        boxes = sample.pred_instances.masks.get_bboxes()
        sample.pred_instances.bboxes = torch.from_numpy(boxes)
    return found


@contextmanager
def _in_evaluation(model: Detector) -> Iterator[None]:
    """Have a model that is in training mode look at images as it does when it is trained.

    By the statistics of the batch its results would be others, and it would learn these.
    """
    modules = list(model.modules()) if isinstance(model, nn.Module) and model.training else []
    training = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, was in zip(modules, training, strict=True):
            module.training = was


def _shapes(views: torch.Tensor | Sequence[torch.Tensor]) -> list[torch.Size]:
    """Return the size of an image, or of each of its views."""
    return [view.shape for view in ([views] if isinstance(views, torch.Tensor) else views)]


def prepared(image: dict | str | np.ndarray, pipeline: Callable) -> dict:
    """Return what a pipeline makes of an image.

    Raises:
        UserError: it makes nothing of it.
    """
    item = pipeline(image)
    if not isinstance(item, dict):
        named = image.get('img_path', 'an array') if isinstance(image, dict) else image
        raise UserError(f'the test pipeline leaves {named} out: take out the step that does')
    return item


def with_bitmaps(sample: DetDataSample) -> DetDataSample:
    """Return a sample as mmdetection's is: `masks` (N, h, w) boolean."""
    instances = sample.pred_instances.new()
    instances.masks = sample.pred_instances.masks.to_tensor()
    changed = sample.new()
    changed.pred_instances = instances
    return changed


def inference_detector(
    model: Detector,
    imgs: str | Path | np.ndarray | Sequence[str | Path | np.ndarray],
    test_pipeline: Compose | None = None,
) -> DetDataSample | list[DetDataSample]:
    """Find the instances in an image or several, as mmdetection 3.x does.

    Args:
        model: of `init_detector`.
        imgs: paths, or (h, w, 3) uint8 BGR arrays; one, or a list or tuple of them.
        test_pipeline: what prepares `dict(img=..., img_id=...)` for an array, `dict(img_path=...,
            img_id=...)` for a path; by default that of the model's config.

    Returns:
        A sample, or a list of them. `pred_instances` has `scores` (N,), `labels` (N,), `bboxes`
        (N, 4) xyxy around the masks, and `masks` (N, h, w) boolean, on the CPU, best first.

    Raises:
        UserError: an image cannot be read, or is another array.
    """
    several = isinstance(imgs, list | tuple)
    pipeline = test_pipeline or inference_pipeline(model.cfg)
    samples = []
    for img in imgs if several else [imgs]:
        if not isinstance(img, str | Path | np.ndarray):
            raise UserError(
                f'a {type(img).__name__} is no image: give a path, or a (height, width, 3) uint8 '
                'array in BGR order'
            )
        key = 'img' if isinstance(img, np.ndarray) else 'img_path'
        item = prepared({key: img if key == 'img' else str(img), 'img_id': 0}, pipeline)
        (sample,) = detect(model, {key: [item[key]] for key in _BATCH})
        samples.append(with_bitmaps(sample))
    return samples if several else samples[0]
