"""The two losses against what the papers write, and their kernels against the references."""

import pytest
import torch
from torch.library import opcheck
from torchvision.ops import sigmoid_focal_loss as torchvision_focal_loss

from mmdet.ops import dice_loss, sigmoid_focal_loss
from mmdet.ops.dice_loss import dice_loss_reference
from mmdet.ops.focal_loss import sigmoid_focal_loss_reference

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def assert_same_loss_and_gradient(kernel, reference, predictions: torch.Tensor) -> None:
    """Compare also the gradients, for a different weight of each loss."""
    found, wanted = (predictions.detach().requires_grad_() for _ in range(2))
    loss, wanted_loss = kernel(found), reference(wanted)
    torch.testing.assert_close(loss, wanted_loss)
    # The dice loss spreads over its pixels: weights as large give gradients of about one.
    scale = predictions.numel() // max(loss.numel(), 1)
    weight = scale * torch.linspace(1, 2, loss.numel(), device=loss.device).view_as(loss)
    (loss * weight).sum().backward()
    (wanted_loss * weight).sum().backward()
    torch.testing.assert_close(found.grad, wanted.grad)


def test_focal_loss_is_torchvisions():
    logits = torch.randn(40, 5, dtype=torch.float64) * 4
    labels = torch.randint(0, 6, (40,))  # 5 is the background
    one_hot = torch.nn.functional.one_hot(labels, 6)[:, :5].double()
    expected = torchvision_focal_loss(logits, one_hot, alpha=0.3, gamma=1.5)
    torch.testing.assert_close(sigmoid_focal_loss(logits, labels, gamma=1.5, alpha=0.3), expected)


@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shape', [(0, 4), (3, 0), (1, 1), (1, 80), (1000, 3), (7, 1203)])
def test_focal_loss_kernel_is_the_reference(kernels, shape, dtype, gamma):
    logits = (torch.randn(*shape, device=kernels) * 5).to(dtype)
    labels = torch.randint(0, shape[1] + 1, shape[:1], device=kernels)
    assert_same_loss_and_gradient(
        lambda x: sigmoid_focal_loss(x, labels, gamma=gamma),
        lambda x: sigmoid_focal_loss_reference(x, labels, gamma=gamma),
        logits,
    )


def test_focal_loss_kernel_of_strided_tensors(kernels):
    logits = torch.randn(5, 40, 2, device=kernels)[:, :, 0].T
    labels = torch.randint(0, 6, (80,), device=kernels)[::2]
    assert_same_loss_and_gradient(
        lambda x: sigmoid_focal_loss(x, labels),
        lambda x: sigmoid_focal_loss_reference(x, labels),
        logits,
    )


def test_focal_loss_gradient_of_a_sum_and_of_a_transpose(kernels):
    """They arrive with strides of zero, and with the strides of columns."""
    logits = torch.randn(6, 5, device=kernels)
    labels = torch.randint(0, 6, (6,), device=kernels)
    weight = torch.randn(5, 6, device=kernels)
    for reduce in (torch.sum, lambda loss: (loss.T * weight).sum()):
        found, wanted = (logits.clone().requires_grad_() for _ in range(2))
        reduce(sigmoid_focal_loss(found, labels)).backward()
        reduce(sigmoid_focal_loss_reference(wanted, labels)).backward()
        torch.testing.assert_close(found.grad, wanted.grad)


def test_focal_loss_gradient():
    logits = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 3, 0])
    assert torch.autograd.gradcheck(lambda x: sigmoid_focal_loss(x, labels), logits)


@pytest.mark.parametrize('dtype', DTYPES)
def test_focal_loss_of_sure_logits(device, dtype):
    """Right ones cost nothing, wrong ones their distance from zero; a NaN is not hidden."""
    logits = torch.tensor([[600.0, -600.0], [-600.0, 600.0], [float('nan'), 0.0]])
    logits = logits.to(device, dtype).requires_grad_()
    loss = sigmoid_focal_loss(logits, torch.tensor([0, 0, 2], device=device))
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    wanted = torch.tensor([[0.0, 0.0], [150.0, 450.0]], device=device, dtype=loss.dtype)
    torch.testing.assert_close(loss[:2], wanted)
    assert loss[2].isnan().tolist() == [True, False]
    loss[:2].sum().backward()
    wanted = torch.tensor([[0.0, 0.0], [-0.25, 0.75]], device=device, dtype=dtype)
    torch.testing.assert_close(logits.grad[:2], wanted)


def test_focal_loss_of_labels_outside_is_the_backgrounds():
    logits = torch.randn(2, 3)
    torch.testing.assert_close(
        sigmoid_focal_loss(logits, torch.tensor([-1, 7])),
        sigmoid_focal_loss(logits, torch.tensor([3, 3])),
    )


def test_dice_loss_of_a_perfect_a_wrong_and_an_empty_mask():
    target = torch.zeros(3, 8, 8, dtype=torch.uint8)
    target[:2, :4] = 1
    logits = torch.full((3, 8, 8), -50.0)
    logits[0, :4] = 50  # perfect
    logits[1, 4:] = 50  # wrong everywhere
    loss = dice_loss(logits, target)
    torch.testing.assert_close(loss, torch.tensor([0.0, 1.0, 1.0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.bool, torch.int64, torch.float32])
def test_dice_loss_by_hand(dtype):
    probabilities = torch.tensor([[[0.8, 0.3]]], dtype=torch.float64)
    target = torch.tensor([[[1, 0]]]).to(dtype)
    expected = 1 - 2 * 0.8 / (0.8**2 + 0.3**2 + 1e-3 + 1 + 1e-3)
    for loss in (
        dice_loss(probabilities.logit(), target),
        dice_loss(probabilities, target, activate=False),
    ):
        assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize('activate', [True, False])
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize(
    'shape', [(0, 4, 4), (2, 0, 3), (1, 1, 1), (1, 200, 336), (1000, 5, 7), (3, 33, 65)]
)
def test_dice_loss_kernel_is_the_reference(kernels, shape, dtype, activate):
    predictions = torch.randn(*shape, device=kernels) * 3
    predictions = (predictions if activate else predictions.sigmoid()).to(dtype)
    targets = torch.randint(0, 2, shape, device=kernels, dtype=torch.uint8)
    assert_same_loss_and_gradient(
        lambda x: dice_loss(x, targets, activate=activate),
        lambda x: dice_loss_reference(x, targets, activate=activate),
        predictions,
    )


@pytest.mark.parametrize('value', [0, 1])
def test_dice_loss_kernel_of_strided_and_uniform_masks(kernels, value):
    predictions = torch.randn(9, 7, 4, device=kernels).permute(2, 1, 0)
    targets = torch.full((4, 7, 18), value, device=kernels, dtype=torch.bool)[..., ::2]
    assert_same_loss_and_gradient(
        lambda x: dice_loss(x, targets), lambda x: dice_loss_reference(x, targets), predictions
    )


def test_dice_loss_gradient():
    logits = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 2, (3, 4, 5), dtype=torch.uint8)
    assert torch.autograd.gradcheck(lambda x: dice_loss(x, target), logits)
    assert torch.autograd.gradcheck(lambda x: dice_loss(x, target, activate=False), logits)


def test_dice_loss_of_a_large_mask_does_not_overflow_half_precision():
    logits = torch.full((1, 300, 300), 20.0, dtype=torch.float16)
    loss = dice_loss(logits, torch.ones(1, 300, 300, dtype=torch.uint8))
    torch.testing.assert_close(loss, torch.zeros(1), atol=1e-4, rtol=0)


def test_dice_loss_kernel_allocates_little_but_the_gradient(kernels):
    logits = torch.randn(4, 100, 100, device=kernels, requires_grad=True)
    targets = torch.ones(4, 100, 100, device=kernels, dtype=torch.uint8)
    with torch.profiler.profile(profile_memory=True) as profile:
        dice_loss(logits, targets).sum().backward()
    on_cpu = kernels.type == 'cpu'
    allocated = [
        event.self_cpu_memory_usage if on_cpu else event.self_device_memory_usage
        for event in profile.events()
    ]
    assert sum(size for size in allocated if size > 0) < logits.nbytes + 10_000


OPS = torch.ops.mmdet_solo
LABELS = torch.tensor([0, 3, 1])
TARGETS = torch.tensor([[[0, 1, 1], [1, 0, 0]]], dtype=torch.uint8)


@pytest.mark.parametrize('dtype', DTYPES)
def test_registrations(kernels, dtype):
    logits, labels = torch.randn(3, 3).to(kernels, dtype), LABELS.to(kernels)
    masks, targets = torch.randn(1, 2, 3).to(kernels, dtype), TARGETS.to(kernels)
    for needs_grad in (False, True):
        logits, masks = logits.requires_grad_(needs_grad), masks.requires_grad_(needs_grad)
        opcheck(OPS.sigmoid_focal_loss.default, (logits, labels, 2.0, 0.25))
        opcheck(OPS.dice_loss.default, (masks, targets, True, 1e-3))
    logits, masks = logits.detach(), masks.detach()
    losses = sigmoid_focal_loss(logits, labels)
    opcheck(OPS.sigmoid_focal_loss_backward.default, (losses, logits, labels, 2.0, 0.25))
    loss, sums = OPS.dice_loss(masks, targets, True, 1e-3)
    opcheck(OPS.dice_loss_backward.default, (loss, masks, targets, sums, True))


class Losses(torch.nn.Module):
    def forward(self, logits, masks):
        labels, targets = LABELS.to(logits.device), TARGETS.to(masks.device)
        return sigmoid_focal_loss(logits, labels).sum() + dice_loss(masks, targets).sum()


def test_compile_and_export_see_through(kernels):
    losses = Losses()
    inputs = torch.randn(3, 3, device=kernels), torch.randn(1, 2, 3, device=kernels)
    compiled = torch.compile(losses, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), losses(*inputs))
    exported = torch.export.export(losses, inputs)
    torch.testing.assert_close(exported.module()(*inputs), losses(*inputs))
    targets = {str(node.target) for node in exported.graph.nodes}
    assert {'mmdet_solo.sigmoid_focal_loss.default', 'mmdet_solo.dice_loss.default'} <= targets


def test_autocast_keeps_losses_in_float32(device):
    logits = torch.randn(3, 3, device=device)
    masks = torch.randn(1, 2, 3, device=device)
    wanted = Losses()(logits, masks)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        torch.testing.assert_close(Losses()(logits, masks), wanted)
        half = logits.bfloat16(), masks.bfloat16()
        assert Losses()(*half).dtype == torch.float32
        compiled = torch.compile(Losses(), backend='aot_eager', fullgraph=True)
        torch.testing.assert_close(compiled(*half), Losses()(*half))


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('logits', (torch.zeros(3), torch.zeros(3, dtype=torch.long))),
        ('logits', (torch.zeros(3, 2, dtype=torch.int32), torch.zeros(3, dtype=torch.long))),
        ('labels', (torch.zeros(3, 2), torch.zeros(4, dtype=torch.long))),
        ('labels', (torch.zeros(3, 2), torch.zeros(3))),
        ('labels', (torch.zeros(3, 2), torch.zeros(3, dtype=torch.bool))),
        ('labels', (torch.zeros(3, 2), torch.zeros(3, dtype=torch.long, device='meta'))),
    ],
)
def test_wrong_arguments_of_focal_loss_are_named(name, arguments):
    with pytest.raises(ValueError, match=f'^{name}'):
        sigmoid_focal_loss(*arguments)


def test_a_negative_gamma_is_refused():
    with pytest.raises(ValueError, match='gamma must not be negative'):
        sigmoid_focal_loss(torch.zeros(3, 2), torch.zeros(3, dtype=torch.long), gamma=-0.5)


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('predictions', (torch.zeros(4, 4), torch.zeros(4, 4))),
        ('predictions', (torch.zeros(2, 4, 4, dtype=torch.uint8), torch.zeros(2, 4, 4))),
        ('predictions .* targets', (torch.zeros(2, 4, 4), torch.zeros(2, 4, 5))),
        ('targets', (torch.zeros(2, 4, 4), torch.zeros(2, 4, 4, device='meta'))),
    ],
)
def test_wrong_arguments_of_dice_loss_are_named(name, arguments):
    with pytest.raises(ValueError, match=f'^{name}'):
        dice_loss(*arguments)


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('labels', (torch.zeros(3, 2), torch.zeros(4, dtype=torch.long))),
        ('labels', (torch.zeros(3, 2), torch.zeros(3, dtype=torch.int32))),
        ('logits', (torch.zeros(3, 2, dtype=torch.long), torch.zeros(3, dtype=torch.long))),
    ],
)
def test_focal_loss_kernel_itself_names_wrong_arguments(kernels, name, arguments):
    logits, labels = (tensor.to(kernels) for tensor in arguments)
    with pytest.raises(RuntimeError, match=f'{name} must'):
        OPS.sigmoid_focal_loss(logits, labels, 2.0, 0.25)


def test_dice_loss_kernel_itself_names_wrong_arguments(kernels):
    masks, targets = torch.zeros(1, 2, 3, device=kernels), TARGETS.to(kernels)
    with pytest.raises(RuntimeError, match='targets must be Byte'):
        OPS.dice_loss(masks, masks, True, 1e-3)
    with pytest.raises(RuntimeError, match='sums must be of size 3 in dimension 1'):
        OPS.dice_loss_backward(masks[:, 0, 0], masks, targets, masks[:, 0, :2], True)
