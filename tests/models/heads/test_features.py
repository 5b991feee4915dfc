import pytest
import torch

from mmdet.errors import UserError
from mmdet.models.heads.features import (
    apply_rows,
    check_padding,
    check_pyramid,
    choose_images,
    doubled_levels_strides,
    each_image,
    flatten_cells,
    resize_ends,
    resize_maps,
    resized_strides,
)


def test_rows_are_applied_to_their_own_images_feature():
    first, second = torch.randn(2, 3, 4, 5)
    rows = [torch.tensor([[1.0, 0, 0], [0, 2, 0]]), torch.tensor([[0, 0, -1.0]])]
    maps = apply_rows(rows, [first, second])
    torch.testing.assert_close(maps, torch.stack((first[0], 2 * first[1], -second[2])))


ORDERS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize('images', [[2, 0], [1], [0, 1, 2]])
@pytest.mark.parametrize('order', ORDERS, ids=str)
def test_images_and_their_gradients_keep_the_order_in_memory(order, images):
    feature = torch.randn(3, 4, 5, 6).contiguous(memory_format=order).requires_grad_()
    chosen = choose_images(feature, images)
    assert torch.equal(chosen, feature[images])
    assert chosen.is_contiguous(memory_format=order)
    every = each_image(chosen)
    assert [image.shape for image in every] == [(4, 5, 6)] * len(images)
    # What `apply_rows` computes: the gradient of an image is in the image's order.
    torch.stack([image.square().sum() for image in every]).sum().backward()
    expected = torch.zeros_like(feature)
    expected[images] = 2 * feature[images].detach()
    assert torch.equal(feature.grad, expected)


@pytest.mark.parametrize('order', ORDERS, ids=str)
@pytest.mark.parametrize(
    'use',
    [
        lambda feature: apply_rows([torch.randn(3, 4)] * 2, each_image(feature)),
        lambda feature: choose_images(feature, [1]) * feature[1:].detach(),
    ],
    ids=['each', 'chosen'],
)
def test_layers_before_get_gradients_in_the_order_of_their_features(order, use):
    feature = torch.randn(2, 4, 5, 6).contiguous(memory_format=order).requires_grad_()
    strides, before = [], feature * 1
    before.register_hook(lambda grad: strides.append(grad.stride()))
    use(before).sum().backward()
    assert strides == [feature.stride()]


def test_levels_are_brought_to_their_strides(feats):
    sizes = [tuple(level.shape[-2:]) for level in resize_ends(feats)]
    assert sizes == [(12, 16), (12, 16), (6, 8), (3, 4), (3, 4)]


@pytest.mark.parametrize('num_levels', [2, 3, 5, 6])
def test_strides_are_those_of_the_resized_levels(num_levels):
    side = 256
    pyramid = [torch.zeros(1, 1, side // 4 // 2**i, side // 4 // 2**i) for i in range(num_levels)]
    sizes = [level.shape[-1] for level in resize_ends(pyramid)]
    assert [side // size for size in sizes] == list(resized_strides(num_levels))


def test_only_the_middle_levels_keep_their_values(feats):
    first, *middle, last = resize_ends(feats)
    assert all(new is old for new, old in zip(middle, feats[1:-1], strict=True))
    # Halving is the mean of each 2 x 2 block.
    torch.testing.assert_close(first, torch.nn.functional.avg_pool2d(feats[0], 2))
    torch.testing.assert_close(last[..., 0, 0], feats[-1][..., 0, 0])


def test_masks_of_doubled_levels_have_half_the_strides():
    assert doubled_levels_strides([8, 8, 16, 32, 32]) == (4, 4, 8, 16, 16)
    with pytest.raises(UserError, match=r'must be \[8, 8, 8\].* not \[8, 8, 16\]'):
        doubled_levels_strides([8, 8, 16])


def test_sizes_that_fit_pass(feats):
    check_padding((96, 128))
    check_pyramid(feats, (96, 128))


def test_sizes_that_do_not_fit_are_named(feats):
    with pytest.raises(UserError, match='pad_size_divisor=32'):
        check_padding((90, 128))
    with pytest.raises(UserError, match=r'is \(24, 32\)'):
        check_pyramid(feats, (128, 128))


def test_maps_of_constants_stay_constant():
    maps = torch.arange(6.0).view(2, 3, 1, 1).expand(2, 3, 4, 5)
    torch.testing.assert_close(resize_maps(maps, (7, 6)), maps[..., :1, :1].expand(2, 3, 7, 6))


@pytest.mark.parametrize('shape', [(2, 0, 4, 5), (0, 3, 4, 5)])
def test_no_maps_can_be_resized(shape):
    assert resize_maps(torch.zeros(shape), (8, 10)).shape == (*shape[:2], 8, 10)


def test_cells_stand_image_by_image_and_level_by_level():
    """Each logit says where it comes from: image, class, level and cell."""
    cls_preds = [
        torch.tensor(
            [
                [[1000 * image + 100 * label + 10 * level + cell for cell in range(side**2)]]
                for image in range(2)
                for label in range(3)
            ]
        ).view(2, 3, side, side)
        for level, side in enumerate((2, 1))
    ]
    logits = flatten_cells(cls_preds)
    assert logits[:, 0].tolist() == [0, 1, 2, 3, 10, 1000, 1001, 1002, 1003, 1010]
    assert logits[0].tolist() == [0, 100, 200]
