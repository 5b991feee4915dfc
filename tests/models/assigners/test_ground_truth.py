import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmdet.errors import UserError
from mmdet.models.assigners import gather_ground_truth, ground_truth, locate_instances
from mmdet.models.assigners.ground_truth import center_of_mass, scale_down
from mmdet.structures import DetDataSample
from mmdet.structures.coded_masks import CodedMasks
from tests.samples import sample_of


@pytest.mark.parametrize('stride', [1, 2, 4, 8, 16, 32])
def test_scaling_down_is_opencvs(stride):
    masks = (np.random.default_rng(stride).random((3, 64, 96)) < 0.5).astype(np.uint8)
    expected = [cv2.resize(mask, (96 // stride, 64 // stride)) for mask in masks]
    scaled = scale_down(torch.from_numpy(masks), stride)
    np.testing.assert_array_equal(scaled.numpy(), np.stack(expected))


def test_center_of_mass():
    mask = torch.zeros(2, 10, 20, dtype=torch.uint8)
    mask[0, 2:5, 10:12] = 1
    centers, areas = center_of_mass(mask)
    assert areas.tolist() == [6, 0]
    assert centers.tolist() == [[3.0, 10.5], [0.0, 0.0]]


@pytest.mark.parametrize('at_once', [1, 2, 99])
def test_a_batch_in_one_row_with_an_empty_image_between(monkeypatch, at_once):
    """However many of an image's bitmaps exist together."""
    monkeypatch.setattr(ground_truth, '_MAX_PIXELS', at_once * 96 * 128)
    samples = [
        sample_of([(0, 0, 32, 32)], [2]),
        sample_of([]),
        sample_of([(8, 8, 40, 24), (64, 0, 128, 64)], [1, 0]),
    ]
    truth = gather_ground_truth(samples, image_size=(96, 128), mask_strides=(4, 4, 8))
    assert truth.image.tolist() == [0, 2, 2]
    assert truth.labels.tolist() == [2, 1, 0]
    assert truth.areas.tolist() == [32 * 32, 32 * 16, 64 * 64]
    assert truth.centers[1].tolist() == [15.5, 23.5]
    assert {stride: tuple(masks.shape) for stride, masks in truth.masks.items()} == {
        4: (3, 24, 32),
        8: (3, 12, 16),
    }
    assert truth.masks[4][1].sum() == 32 * 16 / 4**2


def test_samples_without_masks_are_refused():
    sample = sample_of([(0, 0, 32, 32)])
    del sample.gt_instances.masks
    with pytest.raises(UserError, match='with_mask=True'):
        gather_ground_truth([sample], image_size=(96, 128), mask_strides=(4,))


def test_a_batch_without_instances():
    truth = gather_ground_truth(
        [sample_of([]), sample_of([])], image_size=(96, 128), mask_strides=(4,)
    )
    assert len(truth.labels) == 0
    assert truth.masks[4].shape == (0, 24, 32)


def test_instances_are_located_where_a_training_has_them():
    """To the bit, of masks packed and as run lengths, which are moved and never drawn."""
    rng = np.random.default_rng(0)
    noise = (rng.random((3, 48, 64)) < 0.3).astype(np.uint8)
    rles = coco_mask.encode(np.asfortranarray(noise.transpose(1, 2, 0)))
    coded = CodedMasks(rles, 48, 64).resize((90, 120)).flip()
    boxes = torch.from_numpy(coded.get_bboxes())
    labels = torch.tensor([4, 0, 2])
    packed = InstanceData(labels=labels, bboxes=boxes, masks=coded.pack())
    samples = [DetDataSample(gt_instances=packed), sample_of([]), sample_of([(8, 8, 40, 24)])]
    expected = gather_ground_truth(samples, image_size=(96, 128), mask_strides=())
    moved = InstanceData(labels=labels, bboxes=boxes, masks=coded)
    for first in (packed, moved):
        found = locate_instances([first, *(sample.gt_instances for sample in samples[1:])])
        assert found.masks == {}
        for name in ('image', 'labels', 'bboxes', 'centers', 'areas'):
            torch.testing.assert_close(
                getattr(found, name), getattr(expected, name), rtol=0, atol=0, check_dtype=True
            )
    with pytest.raises(UserError, match='with_mask=True'):
        locate_instances([InstanceData(labels=labels, bboxes=boxes)])
