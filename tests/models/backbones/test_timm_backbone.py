import sys
from types import SimpleNamespace

import huggingface_hub.constants
import pytest
import timm
import torch
from torch import nn

from mmdet.engine.config import check_config
from mmdet.errors import UserError
from mmdet.models.backbones.timm_backbone import TIMMBackbone, _try_out

TINY_CONVNEXT = dict(model_name='convnext_atto', dims=(8, 16, 24, 32), depths=(1, 1, 1, 1))
TINY_SWIN = dict(
    model_name='swin_tiny_patch4_window7_224',
    embed_dim=8,
    depths=(2, 2, 2, 2),
    num_heads=(1, 1, 2, 2),
    window_size=4,
)


@pytest.mark.parametrize(
    ('arguments', 'channels'),
    [
        (TINY_CONVNEXT, [8, 16, 24, 32]),
        (TINY_SWIN, [8, 16, 32, 64]),
        (dict(model_name='resnet10t'), [64, 128, 256, 512]),
        (dict(model_name='mobilenetv3_small_050'), [8, 16, 24, 288]),
    ],
    ids=lambda value: value['model_name'] if isinstance(value, dict) else None,
)
def test_features_of_any_size_at_strides_4_to_32_teach_every_parameter(arguments, channels):
    model = TIMMBackbone(**arguments).train()
    assert model.out_channels == channels
    for height, width in ((128, 160), (224, 96)):
        features = model(torch.randn(2, 3, height, width))
        assert isinstance(features, tuple)
        assert [tuple(feature.shape) for feature in features] == [
            (2, c, height // stride, width // stride)
            for c, stride in zip(channels, (4, 8, 16, 32), strict=True)
        ]
        assert all(feature.is_contiguous() for feature in features)
    sum(feature.square().sum() for feature in features).backward()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None]


def test_features_are_the_models_own_in_nchw():
    ours = TIMMBackbone(**TINY_SWIN, in_channels=1).eval()
    theirs = timm.create_model(
        **TINY_SWIN, in_chans=1, num_classes=0, strict_img_size=False, always_partition=True
    ).eval()
    weights = {
        key.replace('layers_', 'layers.'): v for key, v in ours.timm_model.state_dict().items()
    }
    theirs.load_state_dict(weights, strict=False)
    images = torch.randn(1, 1, 96, 160)
    with torch.no_grad():
        stages = theirs.forward_intermediates(images, intermediates_only=True)
        for feature, stage in zip(ours(images), stages, strict=True):
            torch.testing.assert_close(feature, stage)


def test_out_indices_are_timms():
    model = TIMMBackbone('resnet10t', out_indices=(0, 2))
    features = model(torch.randn(1, 3, 64, 64))
    assert [feature.shape[-1] for feature in features] == [32, 8]


def test_parameters_that_the_features_do_not_need_are_not_learnt():
    model = TIMMBackbone('efficientvim_m1').train()
    sum(feature.sum() for feature in model(torch.randn(2, 3, 64, 64))).backward()
    parameters = dict(model.named_parameters())
    assert {name for name, weight in parameters.items() if not weight.requires_grad} == {
        'timm_model.model.weights'
    }
    assert {name for name, weight in parameters.items() if weight.grad is None} == {
        'timm_model.model.weights'
    }


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(model_name='convnext_atoo'), "no model 'convnext_atoo'; did you mean convnext_atto"),
        (dict(model_name='resnet10t.no_tag'), 'no_tag'),
        (dict(model_name='vit_tiny_patch16_224'), r'strides \[16, 16, 16\], no pyramid'),
        (dict(model_name='resnet10t', output_stride=16), r'strides \[4, 8, 16, 16\], no pyramid'),
        (dict(model_name='coatnet_nano_rw_224'), 'any size'),
        (dict(model_name='resnet10t', drop_paht_rate=0.1), "'drop_paht_rate'"),
        (dict(model_name='resnet10t', out_indices=(1, 9)), 'resnet10t'),
        (dict(model_name='resnet10t', features_only=False), 'features_only=True'),
    ],
)
def test_what_cannot_be_built_is_named(arguments, message):
    with pytest.raises(UserError, match=message):
        TIMMBackbone(**arguments)


class Fixed(nn.Module):
    """Gives features of one size, whatever the images' is."""

    feature_info = SimpleNamespace(reduction=lambda: [4], channels=lambda: [2])

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [torch.ones(len(images), 2, 8, 8)]


def test_features_that_do_not_follow_the_images_size_are_refused():
    with pytest.raises(UserError, match=r'any size .*features of \[\(2, 2, 8, 8\)\] instead of'):
        _try_out(Fixed(), 'fixed', 3)


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(UserError, match=r"pip install 'mmdet-solo\[timm\]'$"):
        TIMMBackbone('resnet10t')


def test_timms_own_arguments_pass_the_check_of_configs():
    check_config(dict(model=dict(type='TIMMBackbone', **TINY_SWIN, drop_path_rate=0.1)))


@pytest.mark.parametrize('with_head', [True, False])
def test_checkpoint_path_loads_timms_files(tmp_path, with_head):
    source = timm.create_model(**TINY_CONVNEXT, **({} if with_head else dict(num_classes=0)))
    torch.save(dict(state_dict=source.state_dict()), tmp_path / 'timm.pth')
    model = TIMMBackbone(**TINY_CONVNEXT, checkpoint_path=str(tmp_path / 'timm.pth'))
    model.init_weights()
    loaded = {name.replace('_', '.'): v for name, v in model.timm_model.state_dict().items()}
    expected = {name.replace('_', '.'): v for name, v in source.state_dict().items()}
    assert all(torch.equal(value, expected[name]) for name, value in loaded.items())


class _Evil:
    def __reduce__(self):
        return exec, ('raise SystemExit',)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'is not a file'),
        (b'no checkpoint', 'a checkpoint of it'),
        (dict(state_dict=_Evil()), 'a checkpoint of it'),
        ({'stem.0.weight': torch.zeros(8, 3, 4, 4)}, r'holds nothing for \d+ of its weights'),
        ({'stem.0.weight': torch.zeros(9, 3, 4, 4)}, 'a checkpoint of it'),
    ],
    ids=['missing', 'text', 'code', 'incomplete', 'another width'],
)
def test_a_wrong_checkpoint_is_refused(tmp_path, content, message):
    path = tmp_path / 'file.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    model = TIMMBackbone(**TINY_CONVNEXT, checkpoint_path=str(path))
    with pytest.raises(UserError, match=message):
        model.init_weights()


def test_a_failed_download_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
    model = TIMMBackbone('resnet10t', pretrained=True, cache_dir=str(tmp_path))
    with pytest.raises(UserError, match=r'checkpoint_path=FILE, or train .* pretrained=False'):
        model.init_weights()


def test_init_cfg_initialises():
    init_cfg = dict(type='Constant', layer='Conv2d', val=0.5)
    model = TIMMBackbone(**TINY_CONVNEXT, init_cfg=init_cfg)
    model.init_weights()
    assert (model.timm_model.stem_0.weight == 0.5).all()
