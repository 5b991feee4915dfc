import pytest
import torch

from mmdet.ops import matrix_nms


def boxes(*rows: tuple[int, int]) -> torch.Tensor:
    """Masks of an 8 x 8 image that fill the rows from the first to before the second number."""
    masks = torch.zeros(len(rows), 8, 8, dtype=torch.bool)
    for mask, (first, last) in zip(masks, rows, strict=True):
        mask[first:last] = True
    return masks


@pytest.mark.parametrize('kernel', ['gaussian', 'linear'])
def test_two_masks_by_hand(kernel):
    scores = torch.tensor([0.9, 0.6])
    decayed = matrix_nms(
        boxes((0, 4), (1, 5)), torch.tensor([1, 1]), scores, kernel=kernel, sigma=0.5
    )
    iou = 3 / 5
    factor = torch.tensor(-0.5 * iou**2).exp() if kernel == 'gaussian' else 1 - iou
    torch.testing.assert_close(decayed, torch.stack((scores[0], scores[1] * factor)))


def test_a_suppressed_mask_suppresses_less():
    # The second equals the first, so what it does to the third is compensated away, and the
    # third is decayed as if only the first were there.
    masks, labels = boxes((0, 4), (0, 4), (2, 6)), torch.zeros(3, dtype=torch.long)
    three = matrix_nms(masks, labels, torch.tensor([0.9, 0.8, 0.7]))
    two = matrix_nms(masks[[0, 2]], labels[:2], torch.tensor([0.9, 0.7]))
    torch.testing.assert_close(three[2], two[1])
    assert three[1] < 0.8 * 0.2


def test_other_classes_and_separate_masks_are_left_alone():
    scores = torch.tensor([0.9, 0.8, 0.7])
    same_place = matrix_nms(boxes((0, 4), (0, 4), (0, 4)), torch.tensor([0, 1, 2]), scores)
    torch.testing.assert_close(same_place, scores)
    apart = matrix_nms(boxes((0, 2), (2, 4), (4, 8)), torch.tensor([0, 0, 0]), scores)
    torch.testing.assert_close(apart, scores)


def test_no_masks():
    empty = torch.zeros(0)
    assert matrix_nms(torch.zeros(0, 8, 8, dtype=torch.bool), empty.long(), empty).shape == (0,)


def test_wrong_arguments_are_named():
    masks, labels, scores = boxes((0, 1)), torch.tensor([0]), torch.tensor([0.5])
    with pytest.raises(ValueError, match='kernel'):
        matrix_nms(masks, labels, scores, kernel='box')
    with pytest.raises(TypeError, match='masks'):
        matrix_nms(masks.float(), labels, scores)
    with pytest.raises(ValueError, match='labels'):
        matrix_nms(masks, labels[:0], scores)
