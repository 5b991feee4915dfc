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


def test_a_name_that_openmmlab_does_not_publish():
    with pytest.raises(UserError, match=r"no weights 'resnet5000'; it does .*resnext101_64x4d"):
        load_from_openmmlab('open-mmlab://resnet5000', 'cpu')
