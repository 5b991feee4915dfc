import re

import pytest
import torch

from mmdet.engine.checkpoint import load_from_openmmlab
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
    def no_network(*_: object) -> None:
        raise OSError('no route to host')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', no_network)
    backbone = MODELS.build(
        dict(
            tiny_model['backbone'],
            init_cfg=dict(type='Pretrained', checkpoint=f'open-mmlab://{name}'),
        )
    )
    source = tmp_path / 'checkpoints' / file
    with pytest.raises(UserError, match=re.escape(f'put it at {source}')):
        backbone.init_weights()
    expected = torch.randn_like(backbone.conv1.weight)
    torch.save({'conv1.weight': expected}, source)
    backbone.init_weights()
    assert torch.equal(backbone.conv1.weight, expected)


def test_a_name_that_openmmlab_does_not_publish():
    with pytest.raises(UserError, match=r"no weights 'resnet5000'; it does .*resnext101_64x4d"):
        load_from_openmmlab('open-mmlab://resnet5000', 'cpu')
