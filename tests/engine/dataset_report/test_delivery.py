"""What is said of objects without an image is what the pipeline delivers with it."""

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from mmdet.datasets import CocoDataset
from mmdet.engine.dataset_report.delivery import Delivery
from mmdet.models.assigners import locate_instances
from mmdet.registry import TRANSFORMS
from tests.datasets.formats.scene import CLASSES, write_pictures

from .data import LOAD, scene_of, write_coco

FILTER = dict(type='FilterAnnotations', min_gt_bbox_wh=(30, 25), keep_empty=False)


@pytest.fixture(params=['scene', 'coco'])
def dataset(request, tmp_path) -> CocoDataset:
    if request.param == 'coco':
        root = request.getfixturevalue('shared') / 'data/coco_tiny'
        dataset = CocoDataset(
            'annotations/instances_train2017.json',
            data_root=str(root),
            data_prefix=dict(img='train2017'),
            indices=8,
        )
    else:
        write_pictures(tmp_path / 'train2017')
        write_coco(tmp_path, 'train2017', scene_of())
        dataset = CocoDataset(
            'annotations/instances_train2017.json',
            data_root=str(tmp_path),
            data_prefix=dict(img='train2017'),
            metainfo=dict(classes=CLASSES),
        )
    return dataset


@pytest.mark.parametrize(
    'steps',
    [
        [],
        [dict(type='Resize', scale=(1333, 800), keep_ratio=True)],
        [dict(type='Resize', scale=(97, 61))],
        [dict(type='Resize', scale_factor=1.7, keep_ratio=True), FILTER],
        [FILTER, dict(type='Pad', size=(700, 130))],
        [dict(type='Resize', scale_factor=(0.3, 0.9)), dict(type='Pad', size_divisor=32)],
        [dict(type='Pad', pad_to_square=True), dict(type='Resize', scale=(64, 64))],
    ],
)
def test_it_is_what_the_pipeline_delivers(dataset, steps):
    """To the bit, in place, size and class."""
    whole = [*LOAD, *steps, dict(type='PackDetInputs')]
    pipeline = Compose([TRANSFORMS.build(dict(step)) for step in whole])
    delivery = Delivery(whole)
    assert not delivery.assumed
    for index in range(len(dataset)):
        item = dataset.get_data_info(index)
        delivered = pipeline(dict(item))
        sample = delivered['data_samples']
        found = delivery(item)
        assert found.shape == tuple(delivered['inputs'].shape[1:])
        assert found.factor == sample.metainfo.get('scale_factor', (1, 1))
        expected, truth = (
            locate_instances([each]) for each in (sample.gt_instances, found.instances)
        )
        for name in ('labels', 'bboxes', 'centers', 'areas'):
            assert torch.equal(getattr(truth, name), getattr(expected, name)), name


def sizes(step: dict) -> tuple[tuple[int, int], list[str]]:
    delivery = Delivery([*LOAD, step])
    return delivery(dict(height=50, width=100, instances=[])).shape, delivery.assumed


def test_the_middle_of_what_is_drawn_by_chance():
    shape, assumed = sizes(
        dict(type='RandomResize', scale=(200, 200), ratio_range=(0.5, 2.5), keep_ratio=True)
    )
    assert shape == (150, 300)
    assert assumed == ['of all sizes that RandomResize draws, the middle one, 300 x 300']
    shape, assumed = sizes(dict(type='RandomResize', scale=[(100, 100), (300, 200)]))
    assert shape == (150, 200)
    shape, assumed = sizes(
        dict(type='RandomChoiceResize', scales=[(400, 90), 60, (300, 70)], keep_ratio=True)
    )
    assert shape == (70, 140)
    assert assumed == ['of the sizes that RandomChoiceResize draws, the middle one, 300 x 70']


def test_what_is_left_out_is_said():
    assert sizes(dict(type='RandomCrop', crop_size=(10, 10)))[1] == ['RandomCrop is left out']
    assert sizes(dict(type='RandomFlip', prob=0.5))[1] == ['no image is flipped']


def test_an_image_that_is_skipped_has_no_objects():
    square = [[0.0, 0.0, 5.0, 0.0, 5.0, 5.0, 0.0, 5.0]]
    instance = dict(bbox=[0, 0, 5, 5], bbox_label=0, mask=square, ignore_flag=0)
    delivery = Delivery([*LOAD, dict(type='FilterAnnotations', min_gt_bbox_wh=(9, 9))])
    found = delivery(dict(height=20, width=20, instances=[instance]))
    assert len(found.instances.labels) == len(found.instances.masks) == 0
    assert np.shape(found.instances.bboxes) == (0, 4)
