import pytest
import timm
import torch
import torch.nn.functional as F

from mmdet.engine.config import check_config
from mmdet.errors import UserError
from mmdet.models import SwinTransformer
from mmdet.models.backbones.swin_transformer import PatchMerging
from mmdet.models.backbones.swin_weights import of_backbone

TINY = dict(embed_dims=8, depths=(2, 1, 2, 1), num_heads=(1, 1, 2, 2), window_size=4)


def of_timm() -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """Return timm's model, and its weights under the names of Microsoft's repository."""
    arguments = {('embed_dim' if key == 'embed_dims' else key): TINY[key] for key in TINY}
    model = timm.create_model(
        'swin_tiny_patch4_window7_224', **arguments, strict_img_size=False, always_partition=True
    )
    weights = {}
    for name, value in model.state_dict().items():
        kind, index, rest = (*name.split('.', 2), '', '')[:3]
        if rest.startswith('downsample'):  # Microsoft's merge at the end of a stage
            name = f'{kind}.{int(index) - 1}.{rest}'
        torch.nn.init.normal_(value, float(value.ndim == 1), 0.3)
        weights[name] = value
    return model.eval(), weights


def test_with_microsofts_weights_features_are_timms(tmp_path):
    """Of a size where timm's order of padding and shifting makes no difference."""
    theirs, weights = of_timm()
    weights['layers.0.blocks.1.attn_mask'] = torch.zeros(4, 16, 16)
    torch.save(dict(model=weights), tmp_path / 'a.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
    model = SwinTransformer(**TINY, convert_weights=True, init_cfg=init_cfg)
    model.init_weights()
    images = torch.randn(2, 3, 128, 256)
    with torch.no_grad():
        expected = theirs.forward_intermediates(images, intermediates_only=True)
        found = model.eval()(images)
    for one, other in zip(found, expected, strict=True):
        other = F.layer_norm(other.permute(0, 2, 3, 1), other.shape[1:2]).permute(0, 3, 1, 2)
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_parameters_are_mmdetections():
    blocks = [f'stages.{stage}.blocks.{block}' for stage in range(4) for block in range(2)]
    blocks = [name for name in blocks if name not in ('stages.1.blocks.1', 'stages.3.blocks.1')]
    pairs = (
        'norm1',
        'attn.w_msa.qkv',
        'attn.w_msa.proj',
        'norm2',
        'ffn.layers.0.0',
        'ffn.layers.1',
    )
    expected = {
        f'{b}.{pair}.{leaf}' for b in blocks for pair in pairs for leaf in ('weight', 'bias')
    }
    expected |= {f'{b}.attn.w_msa.relative_position_bias_table' for b in blocks}
    expected |= {f'{b}.attn.w_msa.relative_position_index' for b in blocks}
    merging = [f'stages.{stage}.downsample' for stage in range(3)]
    expected |= {f'{m}.{n}' for m in merging for n in ('norm.weight', 'norm.bias')}
    expected |= {f'{m}.reduction.weight' for m in merging}
    norms = ('patch_embed.projection', 'patch_embed.norm', 'norm0', 'norm1', 'norm2', 'norm3')
    expected |= {f'{norm}.{leaf}' for norm in norms for leaf in ('weight', 'bias')}
    assert set(SwinTransformer(**TINY).state_dict()) == expected
    with torch.device('meta'):
        published = SwinTransformer().parameters()
    # 28,288,354 in the paper's table, less the classifier's 1,000 x 768 and its norms
    assert sum(each.numel() for each in published) == 28_288_354 - 769_000 + 2 * (96 + 192 + 384)


def test_merged_channels_are_in_mmdetections_order():
    merging = PatchMerging(3, 6, None)
    feature = torch.randn(2, 5, 4, 3)
    padded = F.pad(feature.permute(0, 3, 1, 2), (0, 0, 0, 1))
    unfolded = F.unfold(padded, 2, stride=2).transpose(1, 2).view(2, 3, 2, 12)
    torch.testing.assert_close(merging(feature), merging.reduction(unfolded))


def test_features_of_any_size_teach_every_parameter():
    model = SwinTransformer(**TINY).train()
    features = model(torch.randn(2, 3, 75, 107))
    assert [tuple(feature.shape) for feature in features] == [
        *((2, 8, 19, 27), (2, 16, 10, 14)),
        *((2, 32, 5, 7), (2, 64, 3, 4)),
    ]
    assert all(feature.is_contiguous() for feature in features)
    sum(feature.square().sum() for feature in features).backward()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None]


def test_with_cp_keeps_less_and_learns_the_same():
    def learnt(with_cp: bool) -> tuple[int, list[torch.Tensor]]:
        torch.manual_seed(0)
        model = SwinTransformer(**TINY, with_cp=with_cp, drop_rate=0.1).train()
        kept = []

        def note(tensor: torch.Tensor) -> torch.Tensor:
            kept.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = sum(f.square().sum() for f in model(torch.randn(2, 3, 64, 96)))
        return sum(kept), list(torch.autograd.grad(loss, list(model.parameters())))

    all_kept, expected = learnt(False)
    few_kept, found = learnt(True)
    assert few_kept < all_kept / 4
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_frozen_stages_do_not_learn():
    model = SwinTransformer(**TINY, frozen_stages=1, out_indices=(0, 2, 3), drop_rate=0.1).train()
    frozen = ('patch_embed.', 'stages.0.', 'norm0.')
    assert {name.startswith(frozen) for name, p in model.named_parameters() if p.requires_grad} == {
        False
    }
    assert not any(p.requires_grad for n, p in model.named_parameters() if n.startswith(frozen))
    assert not model.stages[0].training and model.stages[1].training
    assert len(model(torch.randn(1, 3, 64, 64))) == 3


def test_later_blocks_are_left_out_more_often():
    model = SwinTransformer(**TINY, drop_path_rate=0.5)
    rates = [block.drop_path.p for stage in model.stages for block in stage.blocks]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    block = model.stages[3].blocks[0].train()
    block.drop_path.p = 1.0
    feature = torch.randn(1, 4, 4, 64)
    assert torch.equal(block(feature), feature)


def started_from(weights: dict, tmp_path, **arguments) -> SwinTransformer:
    torch.save(weights, tmp_path / 'a.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
    model = SwinTransformer(**{**TINY, **arguments}, init_cfg=init_cfg)
    model.init_weights()
    return model


def test_a_detectors_backbone_loads(tmp_path):
    source = SwinTransformer(**TINY)
    source.init_weights()
    weights = {f'backbone.{name}': value for name, value in source.state_dict().items()}
    weights['neck.lateral_convs.0.conv.weight'] = torch.zeros(1)
    model = started_from(dict(state_dict=weights), tmp_path)
    torch.testing.assert_close(model.state_dict(), source.state_dict(), rtol=0, atol=0)


def test_biases_fit_another_window(tmp_path):
    source = SwinTransformer(**TINY)
    name = 'stages.2.blocks.0.attn.w_msa.relative_position_bias_table'
    slope = torch.linspace(-3, 3, 7)
    by_row = slope[:, None].expand(7, 7)
    with torch.no_grad():  # two heads
        source.get_parameter(name).copy_(torch.stack((by_row, 10 * by_row.T), -1).view(49, 2))
    model = started_from(source.state_dict(), tmp_path, window_size=7)
    rows, columns = model.get_parameter(name).detach().view(13, 13, 2).unbind(-1)
    torch.testing.assert_close(columns, 10 * rows.T)
    torch.testing.assert_close(rows, rows[:, :1].expand(13, 13))
    assert (rows[:, 0].diff() > 0).all()
    torch.testing.assert_close(rows, -rows.flip(0))
    assert rows.max() == pytest.approx(3, abs=0.2)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    _, microsofts = of_timm()
    ours = SwinTransformer(**TINY).state_dict()
    with pytest.raises(UserError, match=r"has Microsoft's names: set .* convert_weights=True"):
        started_from(microsofts, tmp_path)
    with pytest.raises(UserError, match=r"has not Microsoft's names: .* convert_weights=False"):
        started_from(ours, tmp_path, convert_weights=True)
    with pytest.raises(UserError, match=r'lacks stages\.1\.blocks\.1\.norm1\.weight and 12 others'):
        started_from(ours, tmp_path, depths=(2, 2, 2, 1))
    with pytest.raises(UserError, match=r'another shape for patch_embed\.projection\.weight'):
        started_from(ours, tmp_path, embed_dims=16)
    kept = of_backbone(microsofts, convert=True, source='a.pth')
    assert not [name for name in kept if 'head' in name or name.startswith('norm.')]


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (dict(depths=(2, 2)), 'are of other stages'),
        (dict(out_indices=(1, 4)), 'out_indices .* do not fit depths'),
        (dict(frozen_stages=5), 'frozen_stages 5 does not fit depths'),
        (dict(num_heads=(3, 6, 12, 24)), 'num_heads .* do not divide the channels'),
    ],
)
def test_wrong_arguments_are_named(arguments, complaint):
    with pytest.raises(UserError, match=complaint):
        SwinTransformer(**{**TINY, **arguments})


def test_arguments_for_absolute_positions_are_refused():
    with pytest.raises(UserError, match="no argument 'pretrain_img_size': leave it out"):
        check_config(dict(model=dict(type='SwinTransformer', **TINY, pretrain_img_size=384)))
