import weakref

import pytest
import torch
import torch.nn.functional as F

from mmdet.errors import UserError
from mmdet.models.heads import BaseSOLOHead, MaskFeatModule, SOLOV2Head
from mmdet.models.heads.features import apply_rows
from mmdet.models.heads.outputs import HeadOutputs
from tests.samples import MASK_FEATURE_HEAD, rectangle, sample_of


@pytest.fixture
def head(build_head):
    return build_head('solov2')


def test_a_mask_is_the_feature_convolved_with_the_cells_kernel(head, feats):
    outputs = head(feats)
    for level in range(5):
        kernels, mask_feature = head.source(outputs, level, [0, 1])
        cells = torch.tensor([5, 0])
        masks = head.cell_masks(head.source(outputs, level, [1]), level, [cells])
        weight = kernels[1][cells][:, :, None, None]
        expected = F.conv2d(mask_feature[1][None], weight)
        torch.testing.assert_close(masks, expected, atol=1e-5, rtol=1e-5)


def test_a_cell_that_two_instances_claim_learns_both_masks(head, feats):
    """The label is the later one's, and the cell counts as one positive."""
    box = (40, 30, 60, 50)
    full, core = rectangle(96, 128, box), rectangle(96, 128, (44, 34, 56, 46))  # one centre
    both = head.loss(feats, [sample_of([box, box], [0, 1], masks=[full, core]), sample_of([])])
    later = head.loss(feats, [sample_of([box], [1], masks=[core]), sample_of([])])
    earlier = head.loss(feats, [sample_of([box], [0], masks=[full]), sample_of([])])
    torch.testing.assert_close(both['loss_mask'], earlier['loss_mask'] + later['loss_mask'])
    torch.testing.assert_close(both['loss_cls'], later['loss_cls'])


def test_the_mask_feature_has_the_finest_levels_size(feats):
    module = MaskFeatModule(
        in_channels=16, feat_channels=8, start_level=0, end_level=3, out_channels=5
    )
    assert module(feats).shape == (2, 5, 24, 32)
    depths = [len(convs) for convs in module.convs_all_levels]
    assert depths == [1, 1, 2, 3]
    coarsest = module.convs_all_levels[3].conv0.conv
    assert coarsest.in_channels == 16 + 2  # coordinates


def test_the_mask_feature_begins_with_small_weights_and_without_offsets():
    args = dict(in_channels=16, feat_channels=8, start_level=0, end_level=2, out_channels=5)
    ordinary, deformable = MaskFeatModule(**args), MaskFeatModule(**args, conv_cfg=dict(type='DCN'))
    for module in (ordinary, deformable):
        for parameter in module.parameters():
            torch.nn.init.ones_(parameter)
        module.init_weights()
    for name, parameter in ordinary.convs_all_levels.named_parameters():
        if parameter.dim() == 4:
            assert parameter.std().item() == pytest.approx(0.01, rel=0.4), name
    offsets = [value for name, value in deformable.named_parameters() if 'conv_offset' in name]
    assert len(offsets) == 2 * 5
    assert all((value == 0).all() for value in offsets)


def test_a_part_of_the_pyramid(feats):
    module = MaskFeatModule(
        in_channels=16, feat_channels=8, start_level=1, end_level=2, out_channels=5
    )
    assert module(feats).shape == (2, 5, 24, 32)
    with pytest.raises(UserError, match='no range'):
        MaskFeatModule(in_channels=16, feat_channels=8, start_level=2, end_level=1, out_channels=5)


def test_another_stride_of_the_mask_feature_is_refused(build_head):
    """Targets of that stride would not have the feature's size."""
    with pytest.raises(UserError, match='mask_stride must be 4'):
        build_head('solov2', mask_feature_head={**MASK_FEATURE_HEAD, 'mask_stride': 8})


def test_larger_kernels_are_refused(build_head):
    with pytest.raises(UserError, match='1 x 1 kernels, not 3'):
        build_head('solov2', dynamic_conv_size=3)


def test_blocks_are_dropped_before_both_predictions_in_training_alone(build_head, feats):
    head = build_head('solov2', drop_block=dict(drop_prob=0.4, block_size=3))
    plain = build_head('solov2')
    plain.load_state_dict(head.state_dict())
    seen = {}
    for name in ('conv_cls', 'conv_kernel'):
        getattr(head, name).register_forward_pre_hook(
            lambda _, args, name=name: seen.setdefault(name, []).append(args[0])
        )

    def predicted(head: SOLOV2Head) -> list[torch.Tensor]:
        outputs = head(feats)
        return [*outputs.cls_preds, head.kernels(outputs, {0: [0, 1]})[0][0]]

    for dropped, whole in zip(predicted(head), predicted(plain), strict=True):
        assert not torch.allclose(dropped, whole)
    zeros = {name: [(each == 0).float().mean() for each in inputs] for name, inputs in seen.items()}
    seen.clear()
    for ours, whole in zip(predicted(head.eval()), predicted(plain.eval()), strict=True):
        torch.testing.assert_close(ours, whole)
    for name, inputs in seen.items():
        for each, share in zip(inputs, zeros[name], strict=True):
            assert share > (each == 0).float().mean() + 0.1, name


IMAGES = [(0, 1), (), (1,), (0,), (1, 0)]  # at each level


@pytest.fixture
def cells() -> list[list[torch.Tensor]]:
    counts = [(3, 1), (0,), (2,), (4,), (1, 0)]
    return [[torch.arange(count).flip(0) for count in level] for level in counts]


def test_the_masks_of_all_levels_at_once_are_those_of_each(head, feats, cells):
    leaves = [each.requires_grad_() for each in feats]
    inputs = [*leaves, *head.kernel_convs.parameters(), *head.mask_feature_head.parameters()]
    found, wanted = (
        list(draw(head, head(leaves), IMAGES, cells))
        for draw in (SOLOV2Head.learnt_masks, BaseSOLOHead.learnt_masks)
    )
    assert [len(masks[0]) for masks in found] == [4, 0, 2, 4, 1]
    torch.testing.assert_close(found, wanted)
    weights = [torch.randn_like(masks) for masks in found]
    for pair in zip(
        torch.autograd.grad(found, inputs, weights),
        torch.autograd.grad(wanted, inputs, weights),
        strict=True,
    ):
        torch.testing.assert_close(*pair, atol=1e-4, rtol=1e-4)


def test_of_a_batch_that_learns_a_mask_feature_is_read_once_and_not_kept(
    head, feats, cells, monkeypatch
):
    class Features(list):
        """Of which one can know whether it is there."""

    given, read = [], []

    def compute(outputs: HeadOutputs) -> Features:
        features = Features(SOLOV2Head.compute_mask_feature(head, outputs))
        given.append(weakref.ref(features))
        return features

    monkeypatch.setattr(head, 'compute_mask_feature', compute)
    monkeypatch.setattr(
        'mmdet.models.heads.solov2_head.apply_rows',
        lambda rows, features: read.append(len(features)) or apply_rows(rows, features),
    )
    outputs = head(feats)
    drawn = head.learnt_masks(outputs, IMAGES, cells)
    assert read == [1, 1]
    assert len(given) == 1
    assert given[0]() is None
    del drawn, outputs
