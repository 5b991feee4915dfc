"""What the modules add to `mmdet.ops`: weights, sums, and the one form they know."""

import pytest
import torch

from mmdet.errors import UserError
from mmdet.models import DiceLoss, FocalLoss
from mmdet.ops import dice_loss, sigmoid_focal_loss


def test_dice_is_the_weighted_sum_over_masks():
    logits, targets = torch.randn(4, 6, 5), (torch.rand(4, 6, 5) < 0.5).to(torch.uint8)
    loss = DiceLoss(loss_weight=3.0, eps=0.1)(logits, targets)
    torch.testing.assert_close(loss, 3 * dice_loss(logits, targets, eps=0.1).sum())
    assert loss > 0


def test_dice_takes_probabilities_as_they_are():
    logits, targets = torch.randn(4, 6, 5), torch.ones(4, 6, 5, dtype=torch.uint8)
    of_probabilities = DiceLoss(activate=False)(logits.sigmoid(), targets)
    torch.testing.assert_close(of_probabilities, DiceLoss()(logits, targets))


def test_focal_is_the_weighted_sum_over_cells_and_classes():
    logits, labels = torch.randn(7, 3), torch.tensor([0, 1, 2, 3, 3, 3, 1])
    loss = FocalLoss(gamma=1.5, alpha=0.4, loss_weight=2.0)(logits, labels)
    expected = sigmoid_focal_loss(logits, labels, gamma=1.5, alpha=0.4)
    torch.testing.assert_close(loss, 2 * expected.sum())
    assert loss > 0


@pytest.mark.parametrize('loss', [DiceLoss, FocalLoss])
def test_a_softmax_is_refused(loss):
    with pytest.raises(UserError, match=f'{loss.__name__} knows use_sigmoid=True only'):
        loss(use_sigmoid=False)
