from pathlib import Path

import numpy as np
import pytest
import torch

from mmdet.datasets import CocoDataset
from mmdet.datasets.shapes import CLASSES
from mmdet.engine.fit_grid.objects import collect_objects
from mmdet.errors import UserError
from mmdet.models.assigners import gather_ground_truth

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_mask=True),
    dict(type='Resize', scale_factor=0.5, keep_ratio=True),
    dict(type='PackDetInputs'),
]


def dataset_of(root: Path, pipeline: list[dict]) -> CocoDataset:
    return CocoDataset(
        data_root=str(root),
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017'),
        metainfo=dict(classes=CLASSES),
        pipeline=pipeline,
    )


@pytest.fixture
def dataset(shapes_root) -> CocoDataset:
    return dataset_of(shapes_root, PIPELINE)


def test_they_are_where_a_training_has_them(dataset):
    objects = collect_objects(dataset, divisor=32, max_images=10**6)
    assert len(objects.sizes) == len(dataset)
    number = 0
    for index, size in enumerate(objects.sizes.tolist()):
        chosen = objects.truth.image == index
        number += int(chosen.sum())
        assert (objects.truth.bboxes[chosen][:, 2:] <= torch.tensor(size[::-1]) + 1).all()
    every = [dataset[index]['data_samples'] for index in range(len(dataset))]
    wanted = [gather_ground_truth([each], image_size=(320, 320), mask_strides=()) for each in every]
    assert number == sum(len(each.areas) for each in wanted)
    for name in ('areas', 'centers'):
        found = getattr(objects.truth, name).double()
        whole = torch.cat([getattr(each, name) for each in wanted]).double()
        assert torch.allclose(found.sum(0), whole.sum(0))


def test_some_images_by_chance_and_padded(dataset):
    objects = collect_objects(dataset, divisor=32, max_images=3)
    assert len(objects.sizes) == 3
    assert (objects.padded_sizes() % 32 == 0).all()
    assert (objects.padded_sizes() - objects.sizes < 32).all()
    again = collect_objects(dataset, divisor=32, max_images=3)
    assert torch.equal(again.truth.bboxes, objects.truth.bboxes)


def test_a_random_pipeline_gives_the_same_again(dataset, shapes_root):
    flip = dict(type='RandomFlip', prob=0.5)
    flipped = dataset_of(shapes_root, [*PIPELINE[:-1], flip, PIPELINE[-1]])
    np.random.seed(1)
    one = collect_objects(flipped, divisor=32, max_images=10**6)
    after = np.random.rand()
    np.random.seed(1)
    assert np.random.rand() == after  # nothing was taken from the caller's generator
    other = collect_objects(flipped, divisor=32, max_images=10**6)
    assert torch.equal(one.truth.centers, other.truth.centers)
    as_it_is = collect_objects(dataset, divisor=32, max_images=10**6)
    assert not torch.equal(one.truth.centers, as_it_is.truth.centers)  # some are flipped


def test_no_objects_at_all(dataset, monkeypatch):
    dataset.full_init()
    nothing = [dict(dataset.get_data_info(0), instances=[])]
    monkeypatch.setattr(dataset, 'get_data_info', lambda index: dict(nothing[0]))
    with pytest.raises(UserError, match='there are no objects in 2 images of the training'):
        collect_objects(dataset, divisor=32, max_images=2)
