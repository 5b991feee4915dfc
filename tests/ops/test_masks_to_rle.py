import sys

import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as coco_mask

from mmdet.ops import masks_to_rle


def test_resizes_twice_and_cuts_the_padding():
    probabilities = torch.rand(5, 24, 32)
    rles = masks_to_rle(probabilities, img_shape=(90, 120), ori_shape=(60, 77), threshold=0.5)
    full = F.interpolate(probabilities[None], size=(96, 128), mode='bilinear')[:, :, :90, :120]
    full = F.interpolate(full, size=(60, 77), mode='bilinear')[0] > 0.5
    np.testing.assert_array_equal(rles.to_ndarray(), full.numpy())


def test_chunks_give_what_all_at_once_gives(monkeypatch):
    probabilities = torch.rand(7, 8, 8)
    shapes = dict(img_shape=(32, 32), ori_shape=(50, 40), threshold=0.4)
    together = masks_to_rle(probabilities, **shapes)
    monkeypatch.setattr(sys.modules[masks_to_rle.__module__], '_PIXELS_AT_ONCE', 2 * 50 * 40)
    assert masks_to_rle(probabilities, **shapes).rles == together.rles


def test_full_and_empty_masks_and_none():
    full = masks_to_rle(torch.ones(1, 8, 8), img_shape=(32, 32), ori_shape=(64, 48), threshold=0.5)
    assert full.areas.tolist() == [64 * 48]
    empty = masks_to_rle(
        torch.zeros(1, 8, 8), img_shape=(32, 32), ori_shape=(64, 48), threshold=0.5
    )
    assert empty.areas.tolist() == [0]
    assert coco_mask.decode(empty.rles[0]).shape == (64, 48)
    none = masks_to_rle(torch.zeros(0, 8, 8), img_shape=(32, 32), ori_shape=(64, 48), threshold=0.5)
    assert len(none) == 0
    assert none.to_ndarray().shape == (0, 64, 48)
