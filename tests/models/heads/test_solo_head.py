import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict

from mmdet.errors import UserError
from mmdet.models.heads.solo_head import resize_ends
from mmdet.registry import MODELS
from tests.samples import rectangle, sample_of


@pytest.fixture
def head(tiny_model):
    head = MODELS.build(ConfigDict(tiny_model['mask_head'], test_cfg=tiny_model['test_cfg']))
    head.init_weights()
    with torch.no_grad():  # masks and scores that are not all alike
        for parameter in head.parameters():
            parameter.normal_(std=0.3)
    return head


@pytest.fixture
def feats() -> list[torch.Tensor]:
    """Levels of two 96 x 128 images at strides 4 to 64."""
    return [torch.randn(2, 16, 96 // s, 128 // s) for s in (4, 8, 16, 32)] + [
        torch.randn(2, 16, 2, 2)
    ]


def test_a_cells_mask_is_its_channel_of_the_published_form(head, feats):
    """Resize first, convolve to all S * S maps, then pick: what the published code does."""
    outputs = head(feats)
    for level, num_grid in enumerate(head.num_grids):
        doubled = F.interpolate(
            torch.stack(outputs.mask_feats[level]), scale_factor=2, mode='bilinear'
        )
        all_maps = head.conv_mask_list[level](doubled)
        cells = torch.tensor([0, num_grid**2 - 1, 4, 4])
        masks = head.cell_masks(outputs, level, [1, 0], [cells, cells[:2]])
        expected = torch.cat((all_maps[1, cells], all_maps[0, cells[:2]]))
        torch.testing.assert_close(masks[0], expected, atol=1e-5, rtol=1e-5)


def test_masks_have_half_the_levels_stride(head, feats):
    outputs = head(feats)
    assert outputs.mask_size == (24, 32)
    for level, stride in enumerate(head.mask_strides):
        masks = head.cell_masks(outputs, level, [0], [torch.tensor([0])])
        assert masks.shape == (1, 1, 96 // stride, 128 // stride)


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


def test_a_cell_that_two_instances_claim_learns_the_later_mask_alone(head, feats):
    """Labels, masks and the number of positives come from the same winners."""
    box = (40, 30, 60, 50)
    full, core = rectangle(96, 128, box), rectangle(96, 128, (44, 34, 56, 46))  # one centre
    both = head.loss(feats, [sample_of([box, box], [0, 1], masks=[full, core]), sample_of([])])
    later = head.loss(feats, [sample_of([box], [1], masks=[core]), sample_of([])])
    earlier = head.loss(feats, [sample_of([box], [0], masks=[full]), sample_of([])])
    assert not torch.isclose(earlier['loss_mask'], later['loss_mask'])
    for name in both:
        torch.testing.assert_close(both[name], later[name])


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


def test_wrong_arguments_are_named(tiny_model):
    cfg = tiny_model['mask_head']
    with pytest.raises(ValueError, match='differ in length'):
        MODELS.build({**cfg, 'strides': [8, 16]})
    with pytest.raises(ValueError, match='cls_down_index'):
        MODELS.build({**cfg, 'cls_down_index': 5})
    with pytest.raises(ValueError, match='training settings'):
        MODELS.build({**cfg, 'train_cfg': dict(foo=1)})
