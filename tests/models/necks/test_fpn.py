import weakref

import pytest
import torch

from mmdet.errors import UserError
from mmdet.models import FPN


def test_levels_and_sizes():
    inputs = [torch.randn(1, c, s, s) for c, s in ((8, 32), (16, 16), (32, 8))]
    outs = FPN([8, 16, 32], 12, num_outs=5)(inputs)
    assert [tuple(out.shape) for out in outs] == [(1, 12, s, s) for s in (32, 16, 8, 4, 2)]


def test_coarse_levels_reach_fine_ones_and_not_the_reverse():
    neck = FPN([4, 4], 4, num_outs=2)
    fine, coarse = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 4, 4)
    first, second = neck([fine, coarse])
    other_first, _ = neck([fine, coarse + 1])
    assert not torch.allclose(first, other_first)
    changed_first, same_second = neck([fine + 1, coarse])
    assert not torch.allclose(first, changed_first)
    assert torch.equal(second, same_second)


def test_start_level_leaves_out_the_finest():
    neck = FPN([8, 16, 32], 4, num_outs=3, start_level=1)
    outs = neck([torch.randn(1, c, s, s) for c, s in ((8, 32), (16, 16), (32, 8))])
    assert [out.shape[-1] for out in outs] == [16, 8, 4]
    assert neck.lateral_convs[0].conv.in_channels == 16


def test_odd_sizes():
    outs = FPN([4, 4], 4, num_outs=2)([torch.randn(1, 4, 9, 7), torch.randn(1, 4, 5, 4)])
    assert outs[0].shape[-2:] == (9, 7)


def test_too_few_outs():
    with pytest.raises(UserError, match='num_outs'):
        FPN([4, 4, 4], 4, num_outs=2)


def test_end_level_leaves_out_the_coarsest():
    inputs = [torch.randn(1, c, s, s) for c, s in ((8, 32), (16, 16), (32, 8))]
    neck = FPN([8, 16, 32], 4, num_outs=2, end_level=1)
    first, second = neck(inputs)
    inputs[2] += 1
    assert all(map(torch.equal, neck(inputs), (first, second)))
    assert (first.shape[-1], second.shape[-1]) == (32, 16)


@pytest.mark.parametrize('source', ['on_input', 'on_lateral', 'on_output', True])
@pytest.mark.parametrize('relu', [False, True])
def test_extra_levels_are_convolutions_of(source, relu):
    options = dict(add_extra_convs=source, relu_before_extra_convs=relu)
    neck = FPN([8, 16], 12, num_outs=4, **options)
    inputs = [torch.randn(1, c, s, s) for c, s in ((8, 16), (16, 8))]
    _, last, fourth, fifth = neck(inputs)
    lateral = neck.lateral_convs[1](inputs[1])
    taken = dict(on_input=inputs[1], on_lateral=lateral, on_output=last)
    convs = [each.conv for each in neck.fpn_convs[2:]]
    assert all(conv.stride == (2, 2) for conv in convs)
    first = convs[0](taken['on_input' if source is True else source])
    torch.testing.assert_close(fourth, first)
    torch.testing.assert_close(fifth, convs[1](first.relu() if relu else first))


def test_norms_and_activations_are_where_they_are_asked_for():
    options = dict(norm_cfg=dict(type='BN'), act_cfg=dict(type='ReLU'))
    neck = FPN([4, 4], 4, num_outs=2, no_norm_on_lateral=True, **options)
    assert [each.with_norm for each in (*neck.lateral_convs, *neck.fpn_convs)] == [
        *(False, False),
        *(True, True),
    ]
    feats = [torch.randn(2, 4, 8, 8), torch.randn(2, 4, 4, 4)]
    kept, gradients = _step(neck, feats)  # what the activation keeps is not written into
    assert kept and all(gradient.isfinite().all() for gradient in gradients)
    lateral, above = (conv(x) for conv, x in zip(neck.lateral_convs, feats, strict=True))
    merged = lateral + above.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(neck(feats)[0], neck.fpn_convs[0](merged))
    for output in (lateral, *neck(feats)):
        assert (output >= 0).all() and output.any()


@pytest.mark.parametrize(
    ('options', 'complaint'),
    [
        (dict(num_outs=3, end_level=1), 'end_level 1 leaves 2 levels: set num_outs=2'),
        (dict(num_outs=3, start_level=3), 'start_level 3 .* name no inputs: in_channels has 3'),
        (dict(num_outs=3, end_level=5), 'end_level 5 name no inputs'),
        (dict(num_outs=4, add_extra_convs='on_top'), "add_extra_convs is .* not 'on_top'"),
    ],
)
def test_wrong_arguments_are_named(options, complaint):
    with pytest.raises(UserError, match=complaint):
        FPN([4, 4, 4], 4, **options)


def test_other_channels_than_the_backbones_are_named():
    neck = FPN([8, 16], 4, num_outs=2)
    with pytest.raises(UserError, match=r'set model\.neck\.in_channels=\[4, 8\]'):
        neck([torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4)])


def _step(
    neck: FPN, feats: list[torch.Tensor], dtype: torch.dtype = torch.float32
) -> tuple[bool, list[torch.Tensor]]:
    """Return whether the finest merged map was kept for the gradients, and the gradients."""
    seen = []
    watch = neck.fpn_convs[0].register_forward_hook(
        lambda _, inputs, __: seen.append(weakref.ref(inputs[0]))
    )
    leaves = [each.clone().requires_grad_() for each in feats]
    with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
        outs = neck(leaves)
    total = sum(out.float().square().sum() for out in outs)
    watch.remove()
    kept = seen[0]() is not None
    return kept, list(torch.autograd.grad(total, [*leaves, *neck.parameters()]))


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('order', [torch.contiguous_format, torch.channels_last])
def test_the_finest_merged_map_is_computed_again(dtype, order):
    neck = FPN([8, 16, 32], 24, num_outs=4)
    feats = [
        torch.randn(2, c, h, w).contiguous(memory_format=order)
        for c, h, w in ((8, 29, 38), (16, 15, 19), (32, 8, 10))
    ]
    kept, found = _step(neck, feats, dtype)
    neck.lateral_convs[0].register_forward_hook(lambda *_: None)
    kept_when_watched, wanted = _step(neck, feats, dtype)
    assert (kept, kept_when_watched) == (False, True)
    assert all(map(torch.equal, found, wanted))


def test_a_norm_sees_the_finest_level_once():
    neck = FPN([8, 16], 24, num_outs=2, norm_cfg=dict(type='BN')).train()
    kept, _ = _step(neck, [torch.randn(2, 8, 16, 16), torch.randn(2, 16, 8, 8)])
    assert kept
    assert neck.lateral_convs[0].bn.num_batches_tracked == 1
