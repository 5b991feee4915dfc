"""What is computed again is what it was, only when it is needed, and never of something changed."""

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmdet.ops import recomputes
from mmdet.ops.recompute import can_be_recomputed


class Doubled:
    """Doubles images, and notes of how many it was asked to do so again."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, images: Tensor) -> Tensor:
        output = 2 * images
        can_be_recomputed(output, self.again, (images,), ())
        return output

    def again(self, images: Tensor) -> Tensor:
        self.asked.append(len(images))
        return 2 * images


@pytest.fixture
def doubled() -> Doubled:
    return Doubled()


def leaf(*shape: int) -> Tensor:
    return torch.randn(shape, requires_grad=True)


def gradients(reader: Callable, double: Callable, images: Tensor, weight: Tensor) -> list[Tensor]:
    feature = double(images)
    with recomputes(feature):
        output = reader(feature, weight)
    return list(torch.autograd.grad(output.square().sum(), (images, weight)))


def one_by_one(feature: Tensor, weight: Tensor) -> Tensor:
    return torch.stack([weight @ image.flatten(1) for image in feature.unbind()])


@pytest.mark.parametrize('order', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ('reader', 'shape', 'asked'),
    [
        (F.conv2d, (4, 3, 1, 1), [3]),
        (lambda x, w: F.conv2d(x[1:, 1:, 2:], w), (4, 2, 1, 1), [2]),
        (one_by_one, (4, 3), [1, 1, 1]),
        (lambda x, w: w @ x[1, :, 2, 3:4], (4, 3), [1]),
        (lambda x, w: w @ x.flip(1)[1].flatten(1), (4, 3), []),  # of a copy
        (lambda x, w: F.conv2d(x.mT, w).mT + F.conv2d(x, w), (4, 3, 1, 1), [3, 3]),
        (lambda x, w: w @ x[:0, :, 0, 0].T, (4, 3), []),
    ],
)
def test_readers_get_what_they_read(doubled, reader, shape, asked, order):
    images = torch.randn(3, 3, 5, 6).contiguous(memory_format=order).requires_grad_()
    weight = leaf(*shape)
    wanted = gradients(reader, lambda x: 2 * x, images, weight)
    found = gradients(reader, doubled, images, weight)
    assert all(map(torch.equal, found, wanted))
    assert doubled.asked == asked


def test_it_is_not_kept(doubled):
    images, weight = leaf(2, 3, 5, 6), leaf(4, 3, 1, 1)
    feature = doubled(images)
    alive = weakref.ref(feature)
    with recomputes(feature):
        output = F.conv2d(feature, weight)
    del feature
    assert alive() is None
    output.sum().backward()
    assert doubled.asked == [2]


def test_who_says_nothing_keeps_it(doubled):
    images, weight = leaf(2, 3, 5, 6), leaf(4, 3, 1, 1)
    F.conv2d(doubled(images), weight).sum().backward()
    assert doubled.asked == []


@pytest.mark.parametrize('backward', [True, False])
def test_nothing_is_left_when_it_is_not_needed_any_more(doubled, backward):
    images, weight = leaf(2, 3, 5, 6), leaf(4, 3, 1, 1)
    hidden = images * 3
    alive = weakref.ref(hidden)
    feature = doubled(hidden)
    with recomputes(feature):
        # What keeps its own output must not be kept by it.
        output = F.conv2d(feature, weight).sigmoid()
    del hidden, feature
    gc.disable()
    try:
        if backward:
            output.sum().backward()
            assert output.grad_fn is not None
        else:
            del output
        assert alive() is None
    finally:
        gc.enable()


def test_a_second_time(doubled):
    images, weight = leaf(2, 3, 5, 6), leaf(4, 3, 1, 1)
    feature = doubled(images)
    with recomputes(feature):
        output = F.conv2d(feature, weight).sum()
    first, second = (torch.autograd.grad(output, weight, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    assert doubled.asked == [2, 2]


def test_gradients_of_gradients(doubled):
    images, weight = leaf(2, 3, 4, 4), leaf(4, 3, 1, 1)

    def penalty(double: Callable) -> list[Tensor]:
        feature = double(images)
        with recomputes(feature):
            output = F.conv2d(feature, weight).square().sum()
        grads = torch.autograd.grad(output, (images, weight), create_graph=True)
        total = sum(grad.square().sum() for grad in grads)
        return list(torch.autograd.grad(total, (images, weight)))

    for found, wanted in zip(penalty(doubled), penalty(lambda x: 2 * x), strict=True):
        torch.testing.assert_close(found, wanted)


def test_what_was_changed_before_it_was_read_is_kept(doubled):
    images, weight = leaf(2, 3, 5, 6), leaf(4, 3, 1, 1)
    feature = doubled(images).add_(1)
    with recomputes(feature):
        output = F.conv2d(feature, weight)
    (found,) = torch.autograd.grad(output.sum(), weight)
    torch.testing.assert_close(found[0, :, 0, 0], (2 * images + 1).sum((0, 2, 3)))
    assert doubled.asked == []


def test_what_was_changed_after_it_was_read_is_what_it_was(doubled):
    """Where autograd by itself could only refuse."""
    images, weight = leaf(2, 3, 5, 6), leaf(4, 3, 1, 1)
    feature = doubled(images)
    with recomputes(feature):
        output = F.conv2d(feature, weight)
    feature.detach().add_(1)
    (found,) = torch.autograd.grad(output.sum(), weight)
    torch.testing.assert_close(found[0, :, 0, 0], (2 * images).sum((0, 2, 3)))


@pytest.mark.parametrize('changed', ['images', 'weight'])
def test_what_it_needs_must_not_be_changed(doubled, changed):
    images, weight = leaf(2, 3, 5, 6), leaf(4, 3, 1, 1)
    feature = doubled(images)
    with recomputes(feature):
        output = F.conv2d(feature, weight)
    with torch.no_grad():
        dict(images=images, weight=weight)[changed].mul_(2)
    with pytest.raises(RuntimeError, match='was changed in place'):
        output.sum().backward()


@pytest.mark.parametrize('use_reentrant', [False, True])
def test_within_a_checkpoint(doubled, use_reentrant):
    images, weight = leaf(2, 3, 5, 6), leaf(4, 3, 1, 1)

    def run(double: Callable) -> Tensor:
        def part(images: Tensor) -> Tensor:
            feature = double(images.sin()).sin()
            feature = double(feature)
            with recomputes(feature):
                return F.conv2d(feature, weight).square()

        return checkpoint(part, images, use_reentrant=use_reentrant).sum()

    found, wanted = (
        torch.autograd.grad(run(double), (images, weight))
        if not use_reentrant
        else _accumulated(run(double), images, weight)
        for double in (doubled, lambda x: 2 * x)
    )
    assert all(map(torch.equal, found, wanted))


def _accumulated(loss: Tensor, *leaves: Tensor) -> list[Tensor]:
    """A reentrant checkpoint knows no other way."""
    for each in leaves:
        each.grad = None
    loss.backward()
    return [each.grad for each in leaves]


def test_a_compiler_sees_nothing_of_it():
    def run(images: Tensor, weight: Tensor) -> Tensor:
        feature = 2 * images
        with recomputes(feature):
            return F.conv2d(feature, weight)

    images, weight = leaf(2, 3, 5, 6), leaf(4, 3, 1, 1)
    compiled = torch.compile(run, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(compiled(images, weight), run(images, weight))
