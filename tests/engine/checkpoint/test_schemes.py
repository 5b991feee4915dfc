from pathlib import Path

import pytest
import torch

from mmdet.engine.checkpoint import load_from_openmmlab, load_from_torchvision, schemes
from mmdet.errors import UserError
from mmdet.registry import MODELS


@pytest.mark.parametrize(
    ('name', 'file'),
    [
        ('resnext101_64x4d', 'resnext101_64x4d-ee2c6f71.pth'),
        ('resnext101_32x4d', 'resnext101_32x4d-a5af3160.pth'),
        ('detectron2/resnet50_caffe', 'resnet50_msra-5891d200.pth'),
        ('resnet101_caffe', 'resnet101_caffe-3ad79236.pth'),  # an old name
    ],
)
def test_openmmlabs_imagenet_weights(tmp_path, monkeypatch, tiny_model, name, file):
    backbone = MODELS.build(
        dict(
            tiny_model['backbone'],
            init_cfg=dict(type='Pretrained', checkpoint=f'open-mmlab://{name}'),
        )
    )
    expected = torch.randn_like(backbone.conv1.weight)
    torch.save({'conv1.weight': expected}, tmp_path / 'a.pth')
    asked = []

    def download(url: str) -> Path:
        asked.append(url)
        return tmp_path / 'a.pth'

    monkeypatch.setattr(schemes, 'download', download)
    backbone.init_weights()
    assert torch.equal(backbone.conv1.weight, expected)
    (url,) = asked
    assert url.startswith('https://download.openmmlab.com/') and url.endswith(f'/{file}')


def test_torchvisions_imagenet_weights_are_its_first(monkeypatch):
    monkeypatch.setattr(schemes, 'load_from_http', lambda url, map_location: url)
    assert load_from_torchvision('torchvision://resnet50', 'cpu').endswith('resnet50-0676ba61.pth')
    with pytest.raises(UserError, match="no ImageNet weights for 'resnet51'"):
        load_from_torchvision('torchvision://resnet51', 'cpu')


def test_the_backbone_of_a_classifier_that_openmmlab_publishes(tmp_path, monkeypatch):
    init_cfg = dict(type='Pretrained', checkpoint='mmcls://resnet50_v1d')
    cfg = dict(type='ResNetV1d', depth=50, base_channels=8, num_stages=2, out_indices=(1,))
    backbone, published = (MODELS.build(dict(cfg, init_cfg=each)) for each in (init_cfg, None))
    published.init_weights()
    weights = {f'backbone.{key}': value for key, value in published.state_dict().items()}
    classifier = {**weights, 'head.fc.weight': torch.zeros(1000, 8)}
    torch.save(dict(state_dict=classifier, meta={}), tmp_path / 'a.pth')
    asked = []
    monkeypatch.setattr(schemes, 'download', lambda url: asked.append(url) or tmp_path / 'a.pth')
    backbone.init_weights()
    torch.testing.assert_close(backbone.state_dict(), published.state_dict(), rtol=0, atol=0)
    assert asked[0].endswith('resnet/resnetv1d50_b32x8_imagenet_20210531-db14775a.pth')


def test_a_name_that_openmmlab_does_not_publish():
    with pytest.raises(UserError, match=r"no weights 'resnet5000'; it does .*resnext101_64x4d"):
        load_from_openmmlab('open-mmlab://resnet5000', 'cpu')
    with pytest.raises(UserError, match=r"no weights 'resnet5000'; it does .*resnet50_v1d"):
        schemes.load_from_mmcls('mmcls://resnet5000', 'cpu')
