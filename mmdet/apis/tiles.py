"""Large images, such as aerial ones: tile by tile, in one result.

Shape letters: N instances, H and W the image's height and width.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.structures import InstanceData

from mmdet.errors import UserError
from mmdet.models.detectors import DetTTAModel
from mmdet.models.postprocess import DecodeConfig
from mmdet.structures import DetDataSample, RLEMasks
from mmdet.structures.placed_masks import place

from .detector import Detector
from .inference import infer, inference_pipeline
from .tile_nms import Found, decayed_scores

Box = tuple[int, int, int, int]

# How near to a tile's edge a mask is taken for cut: so many pixels as it was drawn with.
_NEAR = 2


def infer_tiled(
    model: Detector,
    image: np.ndarray,
    *,
    tile: int | tuple[int, int],
    overlap: float = 0.25,
    whole: bool = False,
    batch_size: int = 1,
    pipeline: Compose | None = None,
) -> DetDataSample:
    """Find the instances in an image that is too large to be seen at once.

    Each tile gives what `infer` finds in it; one Matrix NMS over the instances of all tiles, with
    the model's own settings, leaves of those that several tiles found the one that is not cut.
    With a tile of the image's size the result is that of `infer`.

    An instance no larger than the tiles' overlap is whole in one tile at least. A larger one may be
    cut by every tile, and comes out in parts where `whole` does not find it either.

    Memory grows with the number of instances, not with their number times the image's pixels: a
    mask is kept as RLE, two numbers for each column of its own, and no full-size bitmap is made.
    There are at most `max_per_img` of the model's `test_cfg` instances a tile.

    Args:
        model: of `init_detector`, or any other `Detector`.
        image: (H, W, 3) uint8 BGR.
        tile: (height, width) of the tiles in pixels, or a square's side: about the size of the
            images that the model was trained with, so that objects have the size that it knows.
        overlap: of neighbouring tiles, at least, as a part of a tile's side; below 1.
        whole: let the whole image, which the pipeline scales down, take part as one more tile, for
            objects that are larger than a tile.
        batch_size: tiles that go through the network together.
        pipeline: of `inference_pipeline`; by default that of the model's config.

    Returns:
        A sample as of `infer`.

    Raises:
        UserError: `tile` or `overlap` is out of range.
    """
    height, width = image.shape[:2]
    boxes = tile_boxes((height, width), tile, overlap)
    if whole and len(boxes) > 1:
        boxes.append((0, 0, width, height))
    pipeline = pipeline or inference_pipeline(model.cfg)
    found: list[Found] = []
    for start in range(0, len(boxes), batch_size):
        part = boxes[start : start + batch_size]
        crops = [image[y1:y2, x1:x2] for x1, y1, x2, y2 in part]
        for box, sample in zip(part, infer(model, crops, pipeline), strict=True):
            found.append(_found(sample, box, size=(height, width)))
    return _merge(found, size=(height, width), cfg=_settings(model))


def _settings(model: Detector) -> DecodeConfig:
    if isinstance(model, DetTTAModel):  # may have others than the detector in it
        return model.decode_cfg
    return DecodeConfig(**(model.cfg.model.get('test_cfg') or {}))


def tile_boxes(
    size: tuple[int, int], tile: int | tuple[int, int], overlap: float = 0.25
) -> list[Box]:
    """Return the xyxy boxes of tiles that cover an image, all of one size, row by row.

    Args:
        size: (height, width) of the image.
        tile: as in `infer_tiled`; where the image is smaller, so are they.
        overlap: as in `infer_tiled`.

    Raises:
        UserError: `tile` or `overlap` is out of range.

    Examples:
        >>> tile_boxes((100, 250), 100, 0.25)
        [(0, 0, 100, 100), (75, 0, 175, 100), (150, 0, 250, 100)]
    """
    sides = tile if isinstance(tile, tuple | list) else (tile, tile)
    if len(sides) != 2 or any(type(side) is not int or side < 1 for side in sides):
        raise UserError(f'tile={tile!r}: a tile has one pixel or more on each side')
    height, width = sides
    if not 0 <= overlap < 1:
        raise UserError(f'overlap={overlap!r} is no part of a tile: from 0 to below 1')
    height, width = min(height, size[0]), min(width, size[1])
    rows = _starts(size[0], height, overlap)
    columns = _starts(size[1], width, overlap)
    return [(x, y, x + width, y + height) for y, x in product(rows, columns)]


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    """Return where tiles along a side begin: as few as overlap enough, evenly."""
    step = max(1, int(tile * (1 - overlap)))
    number = -(-(length - tile) // step) + 1
    return np.linspace(0, length - tile, number).round().astype(int).tolist()


def _found(sample: DetDataSample, box: Box, *, size: tuple[int, int]) -> Found:
    """Return what was found in a tile, in the image's pixels."""
    instances = sample.pred_instances
    x1, y1, x2, y2 = box
    bboxes = instances.bboxes.numpy() + np.array([x1, y1, x1, y1], np.float32)
    # A mask is drawn at a quarter of the network's input.
    drawn = [4 * ori / seen for ori, seen in zip(sample.ori_shape, sample.img_shape, strict=False)]
    near_y, near_x = (_NEAR * pixels for pixels in drawn[:2])
    cut = np.zeros(len(bboxes), bool)
    cut |= (bboxes[:, 0] < x1 + near_x) & (x1 > 0)
    cut |= (bboxes[:, 1] < y1 + near_y) & (y1 > 0)
    cut |= (bboxes[:, 2] > x2 - near_x) & (x2 < size[1])
    cut |= (bboxes[:, 3] > y2 - near_y) & (y2 < size[0])
    return Found(
        scores=instances.scores.numpy(),
        labels=instances.labels.numpy(),
        bboxes=bboxes,
        masks=place(instances.masks, (x1, y1), size),
        tile=box,
        cut=cut,
    )


def _merge(found: Sequence[Found], *, size: tuple[int, int], cfg: DecodeConfig) -> DetDataSample:
    scores = decayed_scores(found, kernel=cfg.kernel, sigma=cfg.sigma)
    kept = np.argsort(-scores, kind='stable')
    kept = kept[scores[kept] >= cfg.filter_thr]
    sample = DetDataSample(metainfo=dict(img_id=0, img_path=None, ori_shape=size, img_shape=size))
    sample.pred_instances = InstanceData(
        scores=torch.from_numpy(scores[kept]),
        labels=torch.from_numpy(np.concatenate([each.labels for each in found])[kept]),
        bboxes=torch.from_numpy(np.concatenate([each.bboxes for each in found])[kept]),
        masks=RLEMasks.cat([each.masks for each in found])[kept],
    )
    return sample
