import copy
import hashlib
from types import SimpleNamespace

import pytest
import timm
import torch
import torchvision

from mmdet.errors import UserError
from mmdet.models import ResNet, ResNetV1d
from mmdet.models.layers import norm_folding
from mmdet.registry import MODELS


@pytest.mark.parametrize('depth', [18, 34, 50, 101, 152])
def test_parameters_are_torchvisions(depth):
    theirs = getattr(torchvision.models, f'resnet{depth}')().state_dict()
    ours = ResNet(depth).state_dict()
    shapes = {name: value.shape for name, value in theirs.items() if not name.startswith('fc.')}
    assert {name: value.shape for name, value in ours.items()} == shapes


def test_features_are_torchvisions():
    theirs = torchvision.models.resnet18().eval()
    ours = ResNet(18, out_indices=(3,)).eval()
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if 'fc.' not in k})
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = theirs.fc(ours(images)[0].mean((2, 3)))
        torch.testing.assert_close(expected, theirs(images))


def names_of_resnet_d(theirs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give timm's weights of a ResNet-D the names that mmdetection's has."""
    renamed = {}
    for name, value in theirs.items():
        for theirs_of, ours in (('conv1.', 'stem.'), ('bn1.', 'stem.7.')):
            if name.startswith(theirs_of):
                name = ours + name.removeprefix(theirs_of)
        if not name.startswith('fc.'):
            renamed[name] = value
    return renamed


@pytest.mark.parametrize('depth', [18, 50, 101])
def test_parameters_of_v1d(depth):
    with torch.device('meta'):
        theirs = names_of_resnet_d(timm.create_model(f'resnet{depth}d').state_dict())
        ours = ResNetV1d(depth).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize('with_cp', [False, True])
def test_v1d_is_timms_resnet_d(with_cp):
    """Features, gradients and statistics, of a size that no stride divides."""
    widths = dict(stem_width=4, channels=(8, 16, 32, 64))
    options = dict(features_only=True, out_indices=(1, 2, 3, 4))
    theirs = timm.create_model('resnet50d', **options, **widths).double().train()
    ours = ResNetV1d(50, base_channels=8, norm_eval=False, with_cp=with_cp).double().train()
    ours.load_state_dict(names_of_resnet_d(theirs.state_dict()))
    images = torch.randn(2, 3, 75, 107, dtype=torch.float64)
    features, expected = ours(images), theirs(images)
    torch.testing.assert_close(list(features), list(expected))
    for model, outputs in ((ours, features), (theirs, expected)):
        sum(feature.square().mean() for feature in outputs).backward()
        model.eval()
    torch.testing.assert_close(ours.state_dict(), names_of_resnet_d(theirs.state_dict()))
    gradients = names_of_resnet_d({name: p.grad for name, p in theirs.named_parameters()})
    torch.testing.assert_close({name: p.grad for name, p in ours.named_parameters()}, gradients)
    with torch.no_grad():
        torch.testing.assert_close(list(ours(images)), list(theirs(images)))


def test_a_frozen_deep_stem_neither_learns_nor_counts():
    model = ResNetV1d(18, base_channels=8, frozen_stages=0, norm_eval=False).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    sum(f.sum() for f in model(torch.randn(2, 3, 64, 64))).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith('stem'), name
    after = model.state_dict()
    assert torch.equal(before['stem.7.running_mean'], after['stem.7.running_mean'])
    assert not torch.equal(before['layer1.0.bn1.running_mean'], after['layer1.0.bn1.running_mean'])


def test_strides_and_dilations_are_those_of_the_stages():
    model = ResNet(50, base_channels=8, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2), in_channels=4)
    assert [f.shape[-1] for f in model(torch.randn(1, 4, 64, 64))] == [16, 8, 4, 4]
    assert all(b.conv2.dilation == b.conv2.padding == (2, 2) for b in model.layer4)
    assert all(b.conv2.dilation == b.conv2.padding == (1, 1) for b in model.layer3)
    stem = ResNet(50, stem_channels=16, base_channels=8).conv1
    assert stem.out_channels == 16


def test_strides_and_channels():
    features = ResNet(50, out_indices=(0, 1, 2, 3))(torch.randn(1, 3, 64, 96))
    assert [tuple(f.shape[1:]) for f in features] == [
        (256, 16, 24),
        (512, 8, 12),
        (1024, 4, 6),
        (2048, 2, 3),
    ]


def test_style_decides_where_a_bottleneck_strides():
    pytorch, caffe = ResNet(50).layer2[0], ResNet(50, style='caffe').layer2[0]
    assert (pytorch.conv1.stride, pytorch.conv2.stride) == ((1, 1), (2, 2))
    assert (caffe.conv1.stride, caffe.conv2.stride) == ((2, 2), (1, 1))


def test_frozen_stages_neither_learn_nor_count():
    model = ResNet(18, base_channels=8, frozen_stages=1, norm_eval=False).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    sum(f.sum() for f in model(torch.randn(2, 3, 64, 64))).backward()
    for name, parameter in model.named_parameters():
        frozen = name.startswith(('conv1', 'bn1', 'layer1'))
        assert (parameter.grad is None) == frozen, name
    after = model.state_dict()
    assert torch.equal(before['layer1.0.bn1.running_mean'], after['layer1.0.bn1.running_mean'])
    assert not torch.equal(before['layer2.0.bn1.running_mean'], after['layer2.0.bn1.running_mean'])


@pytest.mark.parametrize(('norm_eval', 'side'), [(True, 64), (False, 64), (True, 256)])
def test_with_cp_keeps_less_and_learns_the_same(norm_eval, side, monkeypatch):
    folds = []
    fold = norm_folding.folded
    monkeypatch.setattr(norm_folding, 'folded', lambda *args: folds.append(0) or fold(*args))

    def learnt(with_cp: bool) -> tuple[int, dict[str, torch.Tensor]]:
        torch.manual_seed(0)
        options = dict(norm_eval=norm_eval, frozen_stages=1, with_cp=with_cp)
        model = ResNet(50, base_channels=8, **options).train()
        kept = []

        def note(tensor: torch.Tensor) -> torch.Tensor:
            kept.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = sum(f.square().sum() for f in model(torch.randn(2, 3, side, side)))
        loss.backward()
        gradients = {f'{k}.grad': p.grad for k, p in model.named_parameters() if p.requires_grad}
        return sum(kept), {**model.state_dict(), **gradients}

    all_kept, expected = learnt(False)
    # Of larger images the norms are folded into the convolutions.
    assert bool(folds) == (side > 64)
    folds_before = len(folds)
    few_kept, found = learnt(True)
    # A frozen one once, the others for the gradient again.
    assert len(folds) - folds_before >= folds_before
    assert few_kept < all_kept / (4 if side == 64 else 2)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize('with_cp', [False, True])
def test_compiled_it_learns_the_same(with_cp):
    """Also its statistics: what is computed again for the gradient does not change them again."""
    plain = ResNet(18, base_channels=4, num_stages=1, out_indices=(0,), norm_eval=False).double()
    compiled = copy.deepcopy(plain)
    compiled.with_cp = with_cp
    compiled.compile(backend='aot_eager', fullgraph=True)
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    for model in (plain, compiled):
        model.train()(images)[0].square().sum().backward()
    torch.testing.assert_close(compiled.state_dict(), plain.state_dict())
    gradients = [[each.grad for each in model.parameters()] for model in (compiled, plain)]
    torch.testing.assert_close(*gradients)


def test_norm_eval_keeps_statistics():
    model = ResNet(18, base_channels=8, norm_eval=True).train()
    before = model.layer4[1].bn2.running_mean.clone()
    model(torch.randn(2, 3, 64, 64))
    assert torch.equal(before, model.layer4[1].bn2.running_mean)


def test_from_scratch_a_block_begins_as_the_identity():
    model = ResNet(50)
    model.init_weights()
    assert (model.layer1[1].bn3.weight == 0).all()
    assert (model.layer1[1].bn2.weight == 1).all()


def test_pretrained_weights_come_from_torchvisions_cache(tmp_path, monkeypatch):
    source = torchvision.models.resnet18().state_dict()
    saved = tmp_path / 'saved.pth'
    torch.save(source, saved)
    name = f'resnet18-{hashlib.sha256(saved.read_bytes()).hexdigest()[:8]}.pth'
    (tmp_path / 'checkpoints').mkdir()
    saved.rename(tmp_path / 'checkpoints' / name)
    weights = dict(IMAGENET1K_V1=SimpleNamespace(url=f'https://nowhere.invalid/{name}'))
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torchvision.models, 'get_model_weights', dict(resnet18=weights).get)
    model = ResNet(18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18'))
    model.init_weights()
    assert torch.equal(model.layer3[1].conv2.weight, source['layer3.1.conv2.weight'])


def test_a_failed_download_says_where_to_put_the_file(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise OSError('no route to host')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', no_network)
    model = ResNet(50, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))
    with pytest.raises(UserError, match=f'{tmp_path}/checkpoints/resnet50-0676ba61.pth'):
        model.init_weights()


def test_wrong_arguments_are_named():
    with pytest.raises(UserError, match='depth 20'):
        ResNet(20)
    with pytest.raises(UserError, match='style'):
        ResNet(50, style='tensorflow')
    with pytest.raises(UserError, match='out_indices'):
        ResNet(50, num_stages=2, out_indices=(0, 3))
    with pytest.raises(UserError, match=r'strides .* a value for each of 4 stages'):
        ResNet(50, strides=(1, 2))


def test_with_groups_it_is_torchvisions_resnext():
    theirs = torchvision.models.resnext101_64x4d().state_dict()
    cfg = dict(type='ResNeXt', depth=101, groups=64, base_width=4)
    with torch.device('meta'):
        ours = MODELS.build(cfg).state_dict()
    shapes = {name: value.shape for name, value in theirs.items() if not name.startswith('fc.')}
    assert {name: value.shape for name, value in ours.items()} == shapes


@pytest.mark.parametrize('style', ['pytorch', 'caffe'])
def test_deformable_stages(style):
    dcn = dict(type='DCNv2', deformable_groups=1, fallback_on_stride=False)
    model = ResNet(
        50, base_channels=8, style=style, dcn=dcn, stage_with_dcn=(False, True, True, True)
    )
    model.init_weights()
    names = [name for name in model.state_dict() if 'conv_offset.weight' in name]
    assert len(names) == 4 + 6 + 3
    assert all('.conv2.conv_offset' in name and 'layer1' not in name for name in names)
    assert all((model.state_dict()[name] == 0).all() for name in names)
    features = model(torch.randn(1, 3, 64, 64))
    assert [feature.shape[-1] for feature in features] == [16, 8, 4, 2]


@pytest.mark.parametrize('stages', [dict(), dict(stage_with_dcn=(False, True))])
def test_deformable_convolutions_want_stages(stages):
    with pytest.raises(UserError, match='names none of 4 stages for dcn'):
        ResNet(50, dcn=dict(type='DCNv2'), **stages)


def test_basic_blocks_have_neither_groups_nor_dcn():
    with pytest.raises(UserError, match='depth 18 has no bottleneck'):
        ResNet(18, dcn=dict(type='DCNv2'), stage_with_dcn=(False, True, True, True))
    with pytest.raises(UserError, match='depth 34 has no bottleneck'):
        ResNet(34, groups=32)
    with pytest.raises(UserError, match='depth 34 has no bottleneck'):
        ResNet(34, dilations=(1, 1, 1, 2))
