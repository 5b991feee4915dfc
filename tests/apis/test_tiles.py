"""Large images, by a detector that finds what is not black, and by a network."""

import tracemalloc

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmdet.apis import augmented, infer, inference_pipeline, init_detector
from mmdet.apis.tiles import infer_tiled, tile_boxes
from mmdet.errors import UserError
from mmdet.structures import RLEMasks

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='PackDetInputs')]
DATASET = dict(type='CocoDataset', metainfo=dict(classes=('a', 'b', 'c')), pipeline=PIPELINE)


class BlobDetector:
    """Finds each connected blob; parts score better than wholes, to make it hard."""

    def __init__(self) -> None:
        self.cfg = Config(dict(model=dict(), test_dataloader=dict(dataset=DATASET)))
        self.dataset_meta = dict(classes=('blob',))
        self.batches: list[int] = []

    def test_step(self, data: dict) -> list:
        self.batches.append(len(data['inputs']))
        samples = [sample.new() for sample in data['data_samples']]
        for image, sample in zip(data['inputs'], samples, strict=True):
            number, blobs = cv2.connectedComponents(image[0].numpy())
            masks = [
                coco_mask.encode(np.asfortranarray(blobs == i, np.uint8)) for i in range(1, number)
            ]
            areas = torch.tensor([coco_mask.area(mask) for mask in masks], dtype=torch.float32)
            order = areas.argsort()
            sample.pred_instances = InstanceData(
                scores=0.9 - areas[order] / 1e6,
                labels=torch.zeros(len(masks), dtype=torch.long),
                masks=RLEMasks(masks, *image.shape[1:])[order],
            )
        return samples


def scene(size, boxes) -> np.ndarray:
    image = np.zeros((*size, 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 255
    return image


def spread(size, *, pitch, largest) -> list[tuple[int, int, int, int]]:
    """Return boxes of up to `largest` pixels, apart from each other."""
    rng = np.random.default_rng(0)
    boxes = []
    for y in range(0, size[0] - pitch + 1, pitch):
        for x in range(0, size[1] - pitch + 1, pitch):
            width, height = rng.integers(8, largest + 1, 2)
            left, top = x + rng.integers(pitch - width), y + rng.integers(pitch - height)
            boxes.append((int(left), int(top), int(left + width), int(top + height)))
    return boxes


def certain(sample) -> list[tuple]:
    """Return the boxes of what scores well."""
    instances = sample.pred_instances[sample.pred_instances.scores > 0.3]
    assert np.array_equal(instances.masks.get_bboxes(), instances.bboxes.numpy())
    return sorted(tuple(map(int, box)) for box in instances.bboxes.tolist())


@pytest.mark.parametrize('whole', [False, True])
def test_objects_at_seams_come_out_once(whole):
    """No larger than the overlap, each is whole in one tile, and in parts in up to three more."""
    size = (300, 420)
    boxes = spread(size, pitch=30, largest=25)
    sample = infer_tiled(BlobDetector(), scene(size, boxes), tile=100, overlap=0.3, whole=whole)
    assert certain(sample) == sorted(boxes)
    masks = sample.pred_instances.masks
    assert (masks.height, masks.width) == sample.ori_shape == size
    scores = sample.pred_instances.scores
    assert torch.equal(scores, scores.sort(descending=True).values)


def test_an_object_larger_than_a_tile():
    """Each tile that it reaches into has a part; the whole image has it whole."""
    box = (20, 30, 250, 60)
    image = scene((100, 300), [box])
    in_parts = certain(infer_tiled(BlobDetector(), image, tile=100))
    assert len(in_parts) > 1 and box not in in_parts
    assert certain(infer_tiled(BlobDetector(), image, tile=100, whole=True)) == [box]


def test_tiles_go_through_together():
    image = scene((100, 300), spread((100, 300), pitch=30, largest=25))
    model = BlobDetector()
    together = infer_tiled(model, image, tile=100, overlap=0.5, batch_size=3)
    assert model.batches == [3, 2]
    alone = infer_tiled(model, image, tile=100, overlap=0.5)
    assert model.batches == [3, 2, 1, 1, 1, 1, 1]
    assert together.pred_instances.masks.rles == alone.pred_instances.masks.rles


def test_tiles_are_prepared_as_is_asked():
    pipeline = inference_pipeline(BlobDetector().cfg)
    sizes = []
    infer_tiled(
        BlobDetector(),
        scene((100, 150), [(10, 10, 30, 30)]),
        tile=100,
        pipeline=lambda item: sizes.append(item['img'].shape[:2]) or pipeline(item),
    )
    assert sizes == [(100, 100)] * 2


@pytest.mark.parametrize('tta', [False, True])
def test_one_tile_gives_what_the_image_gives(tiny_model, tta):
    tiny_model['test_cfg'] |= dict(mask_thr=0.01)  # it is untrained
    cfg = Config(dict(model=tiny_model, test_dataloader=dict(dataset=DATASET)))
    if tta:  # with settings of its own
        cfg.model.test_cfg.filter_thr = 1.0
        cfg.tta_model = dict(type='DetTTAModel', tta_cfg=dict(filter_thr=0.0))
    model = init_detector(cfg, device='cpu')
    model = augmented(model) if tta else model
    image = np.random.randint(0, 256, (70, 90, 3), np.uint8)
    (expected,) = infer(model, [image], inference_pipeline(model.cfg))
    found = infer_tiled(model, image, tile=(100, 100))
    assert len(expected.pred_instances) > 0
    for name in ('scores', 'labels', 'bboxes'):
        assert torch.equal(found.pred_instances[name], expected.pred_instances[name]), name
    assert found.pred_instances.masks.rles == expected.pred_instances.masks.rles


def test_memory_does_not_grow_with_instances_times_pixels():
    size = (1000, 1000)
    boxes = spread(size, pitch=100, largest=80)
    image = scene(size, boxes)
    tracemalloc.start()
    sample = infer_tiled(BlobDetector(), image, tile=250, overlap=0.4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert certain(sample) == sorted(boxes)  # 100 of them: as bitmaps, 100 MB
    assert peak < 10e6


@pytest.mark.parametrize('size', [(100, 250), (301, 97), (64, 64), (1000, 999)])
@pytest.mark.parametrize('overlap', [0.0, 0.25, 0.6])
def test_tiles_cover_the_image_and_overlap(size, overlap):
    tile = (64, 80)
    boxes = np.array(tile_boxes(size, tile, overlap))
    seen = np.zeros(size, int)
    for x1, y1, x2, y2 in boxes:
        seen[y1:y2, x1:x2] += 1
    assert seen.min() >= 1
    sides = np.minimum(tile, size)
    assert (boxes[:, [3, 2]] - boxes[:, [1, 0]] == sides).all()
    for axis, side in ((0, sides[1]), (1, sides[0])):
        starts = np.unique(boxes[:, axis])
        assert (np.diff(starts) <= np.ceil(side * (1 - overlap))).all()


@pytest.mark.parametrize('mistake', [dict(tile=0), dict(tile=(10, -1)), dict(tile=9, overlap=1.0)])
def test_mistakes(mistake):
    with pytest.raises(UserError, match='a tile'):
        infer_tiled(BlobDetector(), scene((20, 20), []), **mistake)
