"""Rectangles that two tiles see: 60 pixels wide, with 20 in common, in an image of 100 x 60."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from mmdet.apis.tile_nms import Found, decayed_scores
from mmdet.ops.matrix_nms import matrix_nms_reference
from mmdet.structures import RLEMasks
from tests.samples import rectangle

LEFT, RIGHT = (0, 0, 60, 60), (40, 0, 100, 60)


def found(tile, boxes, scores, labels=None, *, cut=None) -> Found:
    """Return rectangles, best first."""
    masks = [coco_mask.encode(np.asfortranarray(rectangle(60, 100, box))) for box in boxes]
    number = len(boxes)
    return Found(
        scores=np.array(scores, np.float32),
        labels=np.array(labels or [0] * number, np.int64),
        bboxes=np.array(boxes, np.float32).reshape(-1, 4),
        masks=RLEMasks(masks, 60, 100),
        tile=tile,
        cut=np.array(cut or [False] * number, bool),
    )


def test_what_two_tiles_found_stays_once():
    left = found(LEFT, [(42, 10, 58, 30)], [0.7])
    right = found(RIGHT, [(42, 10, 58, 30)], [0.9])
    scores = decayed_scores([left, right])
    assert scores.tolist() == pytest.approx([0.7 * np.exp(-2), 0.9])


def test_another_class_is_another_object():
    left = found(LEFT, [(42, 10, 58, 30)], [0.7], [1])
    right = found(RIGHT, [(42, 10, 58, 30)], [0.9], [2])
    assert decayed_scores([left, right]).tolist() == pytest.approx([0.7, 0.9])


@pytest.mark.parametrize('kernel', ['gaussian', 'linear'])
def test_a_part_gives_way_to_the_whole(kernel):
    """Although it is but a quarter of it, and scores better."""
    left = found(LEFT, [(50, 10, 60, 30)], [0.9], cut=[True])
    right = found(RIGHT, [(50, 10, 90, 30)], [0.6])
    scores = decayed_scores([left, right], kernel=kernel)
    assert scores[1] == pytest.approx(0.6)
    assert scores[0] == pytest.approx(0.9 * (np.exp(-2) if kernel == 'gaussian' else 0))


def test_a_cut_object_within_a_large_one_is_not_a_part_of_it():
    """Of the large one, the left tile would have seen more."""
    left = found(LEFT, [(56, 10, 60, 14)], [0.5], cut=[True])
    right = found(RIGHT, [(42, 0, 98, 60)], [0.9])
    assert decayed_scores([left, right])[0] > 0.49


def test_a_part_of_what_no_tile_holds_whole_stays():
    left = found(LEFT, [(20, 10, 60, 30)], [0.8], cut=[True])
    assert decayed_scores([left, found(RIGHT, [], [])]).tolist() == pytest.approx([0.8])


def test_one_tile_has_compared_its_own():
    boxes, scores = [(0, 0, 20, 20), (1, 0, 21, 20)], [0.8, 0.7]
    assert decayed_scores([found(LEFT, boxes, scores)]).tolist() == pytest.approx(scores)


@pytest.mark.parametrize('kernel', ['gaussian', 'linear'])
def test_it_is_matrix_nms(kernel):
    """Where each instance is of a tile of its own, and all tiles see the same."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, [50, 30], (20, 2))
    boxes = np.hstack((corners, corners + rng.integers(10, 30, (20, 2)))).tolist()
    scores = np.sort(rng.random(20))[::-1]
    labels = rng.integers(0, 2, 20)
    whole = (0, 0, 100, 60)
    tiles = [
        found(whole, [box], [score], [label])
        for box, score, label in zip(boxes, scores, labels, strict=True)
    ]
    expected = matrix_nms_reference(
        torch.from_numpy(np.stack([rectangle(60, 100, box) for box in boxes])).bool(),
        torch.from_numpy(labels),
        torch.from_numpy(scores.astype(np.float32)),
        kernel=kernel,
    )
    assert decayed_scores(tiles, kernel=kernel).tolist() == pytest.approx(expected.tolist())
    # In whichever order the tiles come
    backwards = decayed_scores(tiles[::-1], kernel=kernel)[::-1]
    assert backwards.tolist() == pytest.approx(expected.tolist())


def test_nothing_found_anywhere():
    empty = found(LEFT, [], [])
    assert decayed_scores([empty, replace(empty, tile=RIGHT)]).shape == (0,)
