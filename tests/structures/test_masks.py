import copy
import pickle

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmdet.structures import BitmapMasks, PackedMasks, RLEMasks


@pytest.fixture
def bitmaps() -> np.ndarray:
    return (np.random.default_rng(0).random((4, 10, 13)) < 0.4).astype(np.uint8)


def test_packing_keeps_every_pixel_and_pads(bitmaps):
    packed = BitmapMasks(bitmaps, 10, 13).pack()
    assert packed.bits.numel() == 4 * 10 * 2  # 13 pixels are 2 bytes
    np.testing.assert_array_equal(packed.to_tensor().numpy(), bitmaps)
    padded = packed.pad((16, 32)).to_tensor()
    assert padded.dtype == torch.uint8
    np.testing.assert_array_equal(padded, np.pad(bitmaps, ((0, 0), (0, 6), (0, 19))))


def test_what_is_packed_are_the_boxes_of_the_masks():
    masks = np.zeros((3, 100, 200), np.uint8)
    masks[0, 50:60, 101:118] = 1
    masks[1, 99, 199] = 1
    packed = BitmapMasks(masks, 100, 200).pack()
    assert packed.bits.numel() == 10 * 3 + 1
    np.testing.assert_array_equal(packed.to_tensor().numpy(), masks)
    np.testing.assert_array_equal(packed[torch.tensor([1, 2, 0])].to_ndarray(), masks[[1, 2, 0]])


def test_packed_masks_follow_their_instances(bitmaps, other_device):
    """Not only `to`: what else moves data elements asks of a field what it is, not what it can."""
    packed = BitmapMasks(bitmaps, 10, 13).pack()
    there = InstanceData(masks=packed).to(other_device)
    assert there.masks.bits.device == other_device
    assert there.masks.to_tensor().device == other_device
    np.testing.assert_array_equal(there.masks.to_ndarray(), bitmaps)
    here = there.cpu()
    assert isinstance(here.masks, PackedMasks)
    assert (here.masks.height, here.masks.width) == (10, 13)
    assert torch.equal(here.masks.bits, packed.bits)
    np.testing.assert_array_equal(there.numpy().masks, bitmaps)
    np.testing.assert_array_equal(there.detach()[1:3].cpu().masks.to_ndarray(), bitmaps[1:3])
    assert packed.bits.device.type == 'cpu'  # moving leaves the masks as they are


def test_packed_masks_are_copied_and_sent_whole(bitmaps):
    packed = BitmapMasks(bitmaps, 10, 13).pack().pad((16, 32))
    for same in (copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        assert (len(same), same.height, same.width) == (4, 16, 32)
        assert torch.equal(same.to_tensor(), packed.to_tensor())


def test_run_lengths_stay_where_they_are(bitmaps, other_device):
    rles = RLEMasks(coco_mask.encode(np.asfortranarray(bitmaps.transpose(1, 2, 0))), 10, 13)
    there = InstanceData(masks=rles, scores=torch.rand(4)).to(other_device)
    best = there.scores.argsort(descending=True)[:2]
    assert there.masks[best].rles == [rles.rles[i] for i in best.tolist()]
    for moved in (there.cpu(), there.detach(), there.numpy()):
        assert moved.masks.rles == rles.rles


def test_no_masks(bitmaps):
    none = BitmapMasks(bitmaps[:0], 10, 13)
    assert none.pack().pad((16, 16)).to_tensor().shape == (0, 16, 16)
    both = PackedMasks.cat([none.pack(), BitmapMasks(bitmaps, 10, 13).pack()])
    np.testing.assert_array_equal(both.to_ndarray(), bitmaps)
    assert none.resize((5, 6)).masks.shape == (0, 5, 6)
    assert none.flip().crop((0, 0, 4, 3)).pad((7, 6)).masks.shape == (0, 7, 6)
    assert BitmapMasks.cat([none, none]).masks.shape == (0, 10, 13)
    assert none.get_bboxes().shape == (0, 4)
    assert none.areas.shape == (0,)
    assert RLEMasks([], 10, 13).to_tensor().shape == (0, 10, 13)
    assert RLEMasks([], 10, 13).areas.shape == (0,)


def test_methods_leave_the_masks_as_they_are(bitmaps):
    masks = BitmapMasks(bitmaps.copy(), 10, 13)
    masks.flip('diagonal').crop((1, 1, 5, 5)).resize((3, 3)).pad((4, 5)).pack()
    np.testing.assert_array_equal(masks.masks, bitmaps)


def test_flip_and_crop(bitmaps):
    masks = BitmapMasks(bitmaps, 10, 13)
    np.testing.assert_array_equal(masks.flip('horizontal').masks, bitmaps[:, :, ::-1])
    np.testing.assert_array_equal(masks.flip('vertical').masks, bitmaps[:, ::-1])
    np.testing.assert_array_equal(masks.flip('diagonal').masks, bitmaps[:, ::-1, ::-1])
    np.testing.assert_array_equal(masks.crop((2, 1, 9, 8)).masks, bitmaps[:, 1:8, 2:9])


def test_resizing_takes_the_nearest_pixel(bitmaps):
    doubled = BitmapMasks(bitmaps, 10, 13).resize((20, 26))
    np.testing.assert_array_equal(doubled.masks, bitmaps.repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(doubled.resize((10, 13)).masks, bitmaps)


def test_padding_and_joining(bitmaps):
    masks = BitmapMasks(bitmaps, 10, 13)
    padded = BitmapMasks.cat([masks[:1], masks[1:]]).pad((16, 32))
    np.testing.assert_array_equal(padded.masks, np.pad(bitmaps, ((0, 0), (0, 6), (0, 19))))


def test_areas_of_more_masks_than_a_byte_counts(bitmaps):
    rles = coco_mask.encode(np.asfortranarray(bitmaps.transpose(1, 2, 0))) * 75
    areas = RLEMasks(rles, 10, 13).areas
    assert areas.tolist() == bitmaps.sum((1, 2)).tolist() * 75


def test_boxes_surround_the_pixels():
    mask = np.zeros((2, 10, 13), np.uint8)
    mask[0, 2:7, 3:9] = 1
    boxes = BitmapMasks(mask, 10, 13).get_bboxes()
    assert boxes.tolist() == [[3, 2, 9, 7], [0, 0, 0, 0]]


def test_instances_can_be_chosen_with_their_masks(bitmaps):
    rles = RLEMasks(coco_mask.encode(np.asfortranarray(bitmaps.transpose(1, 2, 0))), 10, 13)
    packed = BitmapMasks(bitmaps, 10, 13).pack()
    for masks in (rles, packed):
        chosen = InstanceData(masks=masks)[torch.tensor([True, False, False, True])]
        np.testing.assert_array_equal(chosen.masks.to_tensor().numpy(), bitmaps[[0, 3]])
        none = InstanceData(masks=masks)[torch.zeros(4, dtype=torch.bool)]
        assert len(none) == 0


def test_one_is_chosen_as_masks_of_one(bitmaps):
    packed = BitmapMasks(bitmaps, 10, 13).pack()
    np.testing.assert_array_equal(packed[-1].to_ndarray(), bitmaps[-1:])
    assert [len(mask) for mask in packed] == [1] * len(bitmaps)


def test_packed_masks_are_cloned(bitmaps):
    cloned = BitmapMasks(bitmaps, 10, 13).pack().clone()
    np.testing.assert_array_equal(cloned.to_ndarray(), bitmaps)


@pytest.mark.parametrize('corner', [(0, 0), (3, 5), (-4, 2), (2, -7), (-70, 0), (70, 3), (0, 50)])
@pytest.mark.parametrize('shape', [(40, 64), (20, 90), (60, 30)])
def test_masks_are_placed_in_another_image(corner, shape):
    given = np.random.default_rng(0).integers(0, 2, (2, 40, 64), np.uint8)
    x, y = corner
    expected = np.zeros((2, 200, 300), np.uint8)
    expected[:, 80 + y : 120 + y, 80 + x : 144 + x] = given
    expected = expected[:, 80 : 80 + shape[0], 80 : 80 + shape[1]]
    placed = BitmapMasks(given, 40, 64).place(corner, shape)
    np.testing.assert_array_equal(placed.masks, expected)
    assert (placed.height, placed.width) == shape
    assert BitmapMasks([], 40, 64).place(corner, shape).masks.shape == (0, *shape)
