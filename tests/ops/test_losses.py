"""The two loss functions against what the papers write."""

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss as torchvision_focal_loss

from mmdet.ops import dice_loss, sigmoid_focal_loss


def test_focal_loss_is_torchvisions():
    logits = torch.randn(40, 5, dtype=torch.float64) * 4
    labels = torch.randint(0, 6, (40,))  # 5 is the background
    one_hot = torch.nn.functional.one_hot(labels, 6)[:, :5].double()
    expected = torchvision_focal_loss(logits, one_hot, alpha=0.3, gamma=1.5)
    torch.testing.assert_close(sigmoid_focal_loss(logits, labels, gamma=1.5, alpha=0.3), expected)


def test_focal_loss_gradient():
    logits = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 3, 0])
    assert torch.autograd.gradcheck(lambda x: sigmoid_focal_loss(x, labels), logits)


def test_focal_loss_of_sure_logits_is_finite_in_half_precision():
    logits = torch.tensor([[60.0, -60.0]], dtype=torch.float16)
    loss = sigmoid_focal_loss(logits, torch.tensor([1]))
    assert loss.dtype == torch.float32
    assert loss.isfinite().all()


def test_focal_loss_without_rows():
    assert sigmoid_focal_loss(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)).shape == (0, 4)


def test_dice_loss_of_a_perfect_a_wrong_and_an_empty_mask():
    target = torch.zeros(3, 8, 8, dtype=torch.uint8)
    target[:2, :4] = 1
    logits = torch.full((3, 8, 8), -50.0)
    logits[0, :4] = 50  # perfect
    logits[1, 4:] = 50  # wrong everywhere
    loss = dice_loss(logits, target)
    torch.testing.assert_close(loss, torch.tensor([0.0, 1.0, 1.0]), atol=1e-4, rtol=0)


def test_dice_loss_by_hand():
    probabilities = torch.tensor([[[0.8, 0.3]]], dtype=torch.float64)
    target = torch.tensor([[[1, 0]]])
    expected = 1 - 2 * 0.8 / (0.8**2 + 0.3**2 + 1e-3 + 1 + 1e-3)
    for loss in (
        dice_loss(probabilities.logit(), target),
        dice_loss(probabilities, target, activate=False),
    ):
        assert loss.item() == pytest.approx(expected)


def test_dice_loss_gradient():
    logits = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 2, (3, 4, 5), dtype=torch.uint8)
    assert torch.autograd.gradcheck(lambda x: dice_loss(x, target), logits)


def test_dice_loss_of_a_large_mask_does_not_overflow_half_precision():
    logits = torch.full((1, 300, 300), 20.0, dtype=torch.float16)
    loss = dice_loss(logits, torch.ones(1, 300, 300, dtype=torch.uint8))
    torch.testing.assert_close(loss, torch.zeros(1), atol=1e-4, rtol=0)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match='targets'):
        dice_loss(torch.zeros(2, 4, 4), torch.zeros(2, 4, 5))
    with pytest.raises(ValueError, match='labels'):
        sigmoid_focal_loss(torch.zeros(3, 2), torch.zeros(4, dtype=torch.long))
