"""What holds for every head."""

import copy

import pytest
import torch

from mmdet.errors import UserError
from mmdet.models.heads.features import resize_ends
from mmdet.registry import MODELS
from tests.samples import sample_of


def test_masks_have_their_levels_stride(head, feats):
    outputs = head(feats)
    assert outputs.mask_size == (24, 32)
    for level, stride in enumerate(head.mask_strides):
        masks = head.cell_masks(outputs.mask_feats[level], level, [0], [torch.tensor([0, 1])])
        assert masks.shape == (head.num_factors, 2, 96 // stride, 128 // stride)


def test_a_cells_mask_does_not_depend_on_what_else_is_drawn(head, feats):
    outputs = head(feats)
    for level, num_grid in enumerate(head.num_grids):
        of_level = outputs.mask_feats[level]
        every = torch.arange(num_grid**2)
        all_masks = head.cell_masks(of_level, level, [0, 1], [every, every])
        some = [torch.tensor([3, 0, 3]), torch.tensor([num_grid**2 - 1])]
        masks = head.cell_masks(of_level, level, [1, 0], some)
        expected = all_masks[:, torch.cat((some[0] + num_grid**2, some[1]))]
        torch.testing.assert_close(masks, expected, atol=1e-4, rtol=1e-4)


def test_levels_are_brought_to_their_strides(feats):
    sizes = [tuple(level.shape[-2:]) for level in resize_ends(feats)]
    assert sizes == [(12, 16), (12, 16), (6, 8), (3, 4), (3, 4)]


@pytest.mark.parametrize(
    'samples',
    [
        pytest.param(lambda: [sample_of([]), sample_of([])], id='no instance in the batch'),
        pytest.param(lambda: [sample_of([(8, 8, 40, 40)]), sample_of([])], id='one empty image'),
        pytest.param(
            lambda: [sample_of([(0, 0, 128, 96), (8, 8, 40, 40)], [0, 2])] * 2, id='both full'
        ),
    ],
)
def test_every_parameter_gets_a_finite_gradient(head, feats, samples):
    losses = head.loss(feats, samples())
    sum(losses.values()).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert losses['loss_cls'] > 0


def test_without_instances_masks_cost_nothing(head, feats):
    assert head.loss(feats, [sample_of([]), sample_of([])])['loss_mask'] == 0


def test_losses_are_means_over_positives(head, feats):
    """The same image twice has the loss of the image once, but for the cells' + 1."""
    sample = sample_of([(0, 0, 128, 96), (8, 8, 40, 40)], [0, 2])
    same = [level[:1].repeat(2, 1, 1, 1) for level in feats]
    once = head.loss([level[:1] for level in same], [sample])
    twice = head.loss(same, [sample, copy.deepcopy(sample)])
    torch.testing.assert_close(once['loss_mask'], twice['loss_mask'])


def test_a_batch_that_does_not_fit_the_pyramid_is_refused(head, feats):
    with pytest.raises(UserError, match='pad_size_divisor=32'):
        head.loss(feats, [sample_of([], shape=(90, 128))] * 2)


def test_deformable_convolutions_begin_as_ordinary_ones(build_head):
    for kind in ('decoupled-light-dcn', 'solov2-dcn'):
        head = build_head(kind)
        head.init_weights()
        offsets = {name: p for name, p in head.named_parameters() if 'conv_offset' in name}
        assert all((value == 0).all() for value in offsets.values())
        assert {name.split('.')[0] for name in offsets} >= {'cls_convs'}


def test_dcn_reaches_all_of_a_tower_or_its_last_convolution(build_head):
    def deformable(kind: str, **more: object) -> list[bool]:
        head = build_head(kind, stacked_convs=3, **more)
        return [hasattr(block.conv, 'conv_offset') for block in head.cls_convs]

    assert deformable('solov2-dcn') == [True, True, True]
    assert deformable('solov2-dcn', dcn_apply_to_all_conv=False) == [False, False, True]
    assert deformable('decoupled-light-dcn') == [False, False, True]
    assert deformable('solov2') == [False, False, False]


def test_wrong_arguments_are_named(tiny_model):
    cfg = tiny_model['mask_head']
    with pytest.raises(UserError, match='differ in length'):
        MODELS.build({**cfg, 'strides': [8, 16]})
    with pytest.raises(UserError, match='cls_down_index'):
        MODELS.build({**cfg, 'cls_down_index': 5})
    with pytest.raises(UserError, match='training settings'):
        MODELS.build({**cfg, 'train_cfg': dict(foo=1)})
