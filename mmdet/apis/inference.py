"""From images in memory to instances, by a detector in evaluation mode."""

from collections.abc import Sequence
from copy import deepcopy
from itertools import groupby

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope

from mmdet.datasets.image_file import read_image
from mmdet.engine.config import datasets_of
from mmdet.errors import UserError
from mmdet.structures import DetDataSample

from .detector import Detector

# What needs annotations, which an image in use has not.
_ANNOTATIONS = ('LoadAnnotations', 'FilterAnnotations')


def inference_pipeline(cfg: Config) -> Compose:
    """Return a config's test pipeline, for images in memory: `dict(img=..., img_id=...)`.

    Raises:
        UserError: the config has no test pipeline.
    """
    loaders = (cfg.get(f'{stage}_dataloader') for stage in ('test', 'val'))
    pipelines = (each.get('pipeline') for loader in loaders for each in datasets_of(loader))
    steps = next(filter(None, pipelines), None) or cfg.get('test_pipeline')
    if not steps:
        raise UserError(
            f'{cfg.filename or "the config"} has no test pipeline: '
            'set test_dataloader.dataset.pipeline'
        )
    return compose_for_images(steps)


def compose_for_images(steps: Sequence[dict]) -> Compose:
    """Return a pipeline of such steps that begins with an image in memory."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        return Compose(_for_images(deepcopy(list(steps))))


def _for_images(steps: Sequence[dict]) -> list[dict]:
    kept = []
    for step in steps:
        name = _name(step)
        if name == 'LoadImageFromFile':
            kept.append({**step, 'type': 'LoadImageFromNDArray'})
        elif name == 'TestTimeAug':
            choices = map(_for_images, step['transforms'])
            # Of no step at all there would be no view.
            kept.append({**step, 'transforms': [choice for choice in choices if choice]})
        elif name not in _ANNOTATIONS:
            kept.append(step)
    return kept


def _name(step: dict) -> str:
    kind = step['type']
    return (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]


def infer(model: Detector, images: Sequence[np.ndarray], pipeline: Compose) -> list[DetDataSample]:
    """Find the instances in some images.

    Images that the pipeline brings to one size go through the network together. Others do not:
    padded to a common size, an image's grid cells would lie elsewhere, and so its result would
    depend on its neighbours.

    Args:
        model: of `init_detector`; or one of several views, with a pipeline that gives those.
        images: (h, w, 3) uint8 BGR.
        pipeline: of `inference_pipeline`.

    Returns:
        A sample for each, on the CPU; `pred_instances` has `scores` (N,), `labels` (N,), `bboxes`
        (N, 4) xyxy around the masks, and `masks`, `RLEMasks` at the image's size, best first.
    """
    data = [_prepared(image, index, pipeline) for index, image in enumerate(images)]
    found: list[DetDataSample] = []
    for _, group in groupby(data, key=_shapes):
        batch = pseudo_collate(list(group))
        with torch.inference_mode():
            found += [sample.cpu() for sample in model.test_step(batch)]
    for sample in found:
        boxes = sample.pred_instances.masks.get_bboxes()
        sample.pred_instances.bboxes = torch.from_numpy(boxes)
    return found


def _shapes(item: dict) -> list[torch.Size]:
    """Return the size of an image, or of each of its views."""
    inputs = item['inputs']
    return [view.shape for view in (inputs if isinstance(inputs, list) else [inputs])]


def _prepared(image: np.ndarray, index: int, pipeline: Compose) -> dict:
    item = pipeline(dict(img=image, img_id=index))
    assert isinstance(item, dict)  # a test pipeline leaves no image out
    return item


def inference_detector(
    model: Detector,
    imgs: str | np.ndarray | Sequence[str | np.ndarray],
    test_pipeline: Compose | None = None,
) -> DetDataSample | list[DetDataSample]:
    """Find the instances in an image or several, as mmdetection 3.x does.

    Args:
        model: of `init_detector`.
        imgs: paths, or (h, w, 3) uint8 BGR arrays; one, or a list or tuple of them.
        test_pipeline: what prepares `dict(img=..., img_id=...)`; by default that of the model's
            config.

    Returns:
        A sample, or a list of them. `pred_instances` has `scores` (N,), `labels` (N,), `bboxes`
        (N, 4) xyxy around the masks, and `masks` (N, h, w) boolean, on the CPU, best first.

    Raises:
        UserError: an image cannot be read.
    """
    several = isinstance(imgs, list | tuple)
    pipeline = test_pipeline or inference_pipeline(model.cfg)
    samples = []
    for img in imgs if several else [imgs]:
        image = img if isinstance(img, np.ndarray) else read_image(str(img))
        (sample,) = infer(model, [image], pipeline)
        sample.set_metainfo(dict(img_path=None if isinstance(img, np.ndarray) else str(img)))
        sample.pred_instances.masks = sample.pred_instances.masks.to_tensor()
        samples.append(sample)
    return samples if several else samples[0]
