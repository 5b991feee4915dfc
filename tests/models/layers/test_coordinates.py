import weakref

import pytest
import torch

from mmdet.models.layers import Conv3x3, with_coordinates


def test_coordinates_run_from_edge_to_edge_behind_the_features():
    feature = torch.randn(2, 3, 5, 9)
    located = with_coordinates(feature)
    torch.testing.assert_close(located[:, :3], feature)
    x, y = located[1, 3:]
    torch.testing.assert_close(x, torch.linspace(-1, 1, 9).expand(5, 9))
    torch.testing.assert_close(y, torch.linspace(-1, 1, 5)[:, None].expand(5, 9))


@pytest.mark.parametrize(('axes', 'channel'), [('x', 3), ('y', 4)])
def test_one_of_them(axes, channel):
    feature = torch.randn(2, 3, 5, 9)
    both, one = with_coordinates(feature), with_coordinates(feature, axes)
    assert one.shape[1] == 4
    torch.testing.assert_close(one[:, 3], both[:, channel])


def test_they_have_the_features_precision():
    assert with_coordinates(torch.zeros(1, 1, 2, 2, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize('batch', [1, 2])
@pytest.mark.parametrize('order', [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_order_in_memory_stays(order, batch):
    feature = torch.randn(batch, 3, 5, 9).contiguous(memory_format=order)
    assert with_coordinates(feature).is_contiguous(memory_format=order)


@pytest.mark.parametrize('order', [torch.contiguous_format, torch.channels_last], ids=str)
def test_of_two_copies_the_feature_alone_is_kept(order):
    layers = [Conv3x3(9, 8, 3, padding=1) for _ in range(2)]
    feature = torch.randn(2, 8, 16, 12).contiguous(memory_format=order).requires_grad_()
    inputs = [feature, *layers[0].parameters(), *layers[1].parameters()]

    def loss(*copies: torch.Tensor) -> torch.Tensor:
        outputs = [layer(each) for layer, each in zip(layers, copies, strict=True)]
        return (outputs[0] * outputs[1]).sum()

    copies = [with_coordinates(feature, axis) for axis in 'xy']
    alive = [weakref.ref(each) for each in copies]
    expected = torch.autograd.grad(loss(*(each.clone() for each in copies)), inputs)
    found = loss(*copies)
    del copies
    assert [each() for each in alive] == [None, None]
    gradients = torch.autograd.grad(found, inputs)
    torch.testing.assert_close(gradients, expected, rtol=0, atol=0)


def test_of_the_only_copy_there_is_nothing_to_compute_again():
    feature = torch.randn(2, 8, 16, 12, requires_grad=True)
    copy = with_coordinates(feature)
    alive = weakref.ref(copy)
    output = Conv3x3(10, 8, 3, padding=1)(copy)
    del copy
    assert alive() is not None
    del output
    assert alive() is None
