"""What holds for every head."""

import copy
import inspect
import weakref

import pytest
import torch

from mmdet.errors import UserError
from mmdet.registry import MODELS
from tests.samples import HEADS, sample_of


def test_masks_have_their_levels_stride(head, feats):
    outputs = head(feats)
    assert outputs.mask_size == (24, 32)
    for level, stride in enumerate(head.mask_strides):
        masks = head.cell_masks(head.source(outputs, level, [0]), level, [torch.tensor([0, 1])])
        assert masks.shape == (head.num_factors, 2, 96 // stride, 128 // stride)


def test_a_cells_mask_does_not_depend_on_what_else_is_drawn(head, feats):
    outputs = head(feats)
    for level, num_grid in enumerate(head.num_grids):
        every = torch.arange(num_grid**2)
        all_masks = head.cell_masks(head.source(outputs, level, [0, 1]), level, [every, every])
        some = [torch.tensor([3, 0, 3]), torch.tensor([num_grid**2 - 1])]
        masks = head.cell_masks(head.source(outputs, level, [1, 0]), level, some)
        expected = all_masks[:, torch.cat((some[0] + num_grid**2, some[1]))]
        torch.testing.assert_close(masks, expected, atol=1e-4, rtol=1e-4)


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


PREDICTING = {
    'solo': ('conv_mask_list.', 'conv_cls.'),
    'decoupled': ('conv_mask_list_x.', 'conv_mask_list_y.', 'conv_cls.'),
    'decoupled-light': ('conv_mask_list_x.', 'conv_mask_list_y.', 'conv_cls.'),
    'solov2': ('conv_cls.',),
}


@pytest.mark.parametrize('kind', PREDICTING)
def test_weights_begin_small_and_predictions_improbable(kind, build_head):
    head = build_head(kind)
    head.init_weights()
    for name, parameter in head.named_parameters():
        # A `ConvModule` that is no part of a list initialises itself, in mmdetection too.
        if parameter.dim() == 4 and 'conv_pred' not in name:
            assert parameter.std().item() == pytest.approx(0.01, rel=0.3), name
        elif name.startswith(PREDICTING[kind]):
            torch.testing.assert_close(parameter.sigmoid(), torch.full_like(parameter, 0.01))
        elif name.endswith('conv_kernel.bias'):
            assert (parameter == 0).all()


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


@pytest.mark.parametrize('kind', HEADS)
def test_its_signature_names_every_argument(kind):
    """Whoever checks a config reads this one signature."""
    parameters = inspect.signature(MODELS.get(HEADS[kind]['type'])).parameters
    assert {'num_classes', 'strides', 'dcn_apply_to_all_conv', 'test_cfg'} <= parameters.keys()
    assert ('mask_feature_head' in parameters) == ('solov2' in kind)
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize('kind', ['solo', 'decoupled', 'decoupled-light', 'solov2'])
def test_defaults_train(kind):
    """A head that is told no more than it must be takes a step down."""
    head = MODELS.build({**HEADS[kind], 'num_classes': 3, 'in_channels': 16})
    head.init_weights()
    optimizer = torch.optim.SGD(head.parameters(), lr=1e-4)
    feats = [torch.randn(1, 16, side, side) for side in (16, 8, 4, 2, 1)]
    sample = sample_of([(8, 8, 24, 24)], [1], shape=(64, 64))
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        loss = sum(head.loss(feats, [sample]).values())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@pytest.mark.parametrize('kind', ['solo', 'decoupled', 'decoupled-light'])
def test_strides_that_the_levels_do_not_have_are_refused(kind, build_head):
    """Mask targets would not have the size of the masks."""
    with pytest.raises(UserError, match=r'strides must be \[8, 8, 16, 32, 32\]'):
        build_head(kind, strides=(4, 8, 16, 32, 64))


def test_strides_are_thresholds_alone_where_masks_have_another(build_head, feats):
    """mmdetection's SOLOv2 takes any."""
    head = build_head('solov2', strides=(4, 8, 16, 32, 64))
    losses = head.loss(feats, [sample_of([(8, 8, 40, 40)]), sample_of([])])
    assert losses['loss_mask'] > 0


def test_a_pyramid_that_does_not_fit_is_refused(head, feats):
    samples = [sample_of([]), sample_of([])]
    with pytest.raises(UserError, match='5 levels, but the neck gives 4: set num_outs'):
        head.loss(feats[:4], samples)
    with pytest.raises(UserError, match='not a quarter of it: see out_indices'):
        head.loss([*feats[1:], feats[-1]], samples)


def test_wrong_arguments_are_named(tiny_model):
    cfg = tiny_model['mask_head']
    with pytest.raises(UserError, match='differ in length'):
        MODELS.build({**cfg, 'strides': [8, 16]})
    with pytest.raises(UserError, match='two levels or more'):
        MODELS.build({**cfg, 'strides': [8], 'num_grids': [8], 'scale_ranges': [(1, 9)]})
    with pytest.raises(UserError, match='cls_down_index'):
        MODELS.build({**cfg, 'cls_down_index': 5})
    with pytest.raises(UserError, match='training settings'):
        MODELS.build({**cfg, 'train_cfg': dict(foo=1)})
    with pytest.raises(UserError, match="no kernel='gausian'"):
        MODELS.build({**cfg, 'test_cfg': dict(kernel='gausian')})


@pytest.mark.parametrize('kind', ['solo', 'decoupled'])
def test_a_levels_features_are_let_go_of_before_the_next_ones(build_head, feats, kind, monkeypatch):
    class Source(list):
        """Of which one can know whether it is there."""

    head, before = build_head(kind), []
    compute = head.mask_source

    def watched(*args: object) -> Source:
        assert all(source() is None for source in before)
        source = Source(compute(*args))
        before.append(weakref.ref(source))
        return source

    monkeypatch.setattr(head, 'mask_source', watched)
    head.loss(feats, [sample_of([(8, 8, 40, 40), (0, 0, 128, 96)], [0, 1])] * 2)
    assert len(before) == len(head.num_grids)
