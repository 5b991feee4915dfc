import pytest
import timm

from mmdet.engine.config import check_config
from mmdet.engine.config.not_here import CLOSE_IN_TIMM, HERE, SAME_IN_TIMM, what_instead
from mmdet.errors import UserError
from mmdet.registry import MODELS

# All of mmdetection 3.3's
BACKBONES = (
    *('RegNet', 'ResNet', 'ResNetV1d', 'ResNeXt', 'SSDVGG', 'HRNet', 'MobileNetV2', 'Res2Net'),
    *('HourglassNet', 'DetectoRS_ResNet', 'DetectoRS_ResNeXt', 'Darknet', 'ResNeSt', 'CSPNeXt'),
    *('TridentResNet', 'CSPDarknet', 'SwinTransformer', 'PyramidVisionTransformer'),
    *('PyramidVisionTransformerV2', 'EfficientNet'),
)
NECKS = (
    *('FPN', 'BFP', 'ChannelMapper', 'HRFPN', 'NASFPN', 'FPN_CARAFE', 'PAFPN', 'NASFCOS_FPN'),
    *('RFP', 'YOLOV3Neck', 'FPG', 'DilatedEncoder', 'CTResNetNeck', 'SSDNeck', 'YOLOXPAFPN'),
    *('DyHead', 'CSPNeXtPAFPN', 'SSH', 'FPN_DropBlock'),
)
FPN = dict(type='FPN', in_channels=[8], out_channels=8, num_outs=1)


@pytest.mark.parametrize('name', [*BACKBONES, *NECKS])
def test_each_of_mmdetections_is_here_or_has_a_substitute(name):
    assert (MODELS.get(name) is None) == bool(what_instead(name))


def test_substitutes_are_what_timm_and_this_package_have():
    models = [each for table in (SAME_IN_TIMM, CLOSE_IN_TIMM) for each in table.values()]
    assert set().union(*models) <= set(timm.list_models())
    for text in HERE.values():
        assert MODELS.get(text.split("'")[1]) is not None, text


@pytest.mark.parametrize(
    ('model', 'complaint'),
    [
        (
            dict(backbone=dict(type='HRNet', extra=dict(stage1={}))),
            "there is no type 'HRNet': timm has it: type='TIMMBackbone', model_name='hrnet_w18', "
            "'hrnet_w32' or 'hrnet_w40'",
        ),
        (dict(backbone=dict(type='mmpretrain.ConvNeXt')), "'TIMMBackbone', model_name='convnext_t"),
        (dict(backbone=dict(type='CSPDarknet')), "timm has what is close to it: type='TIMMBackb"),
        (dict(neck=dict(type='mmdet.NASFPN')), "there is no type 'NASFPN': use type='PAFPN'"),
        (
            dict(neck=[FPN, dict(type='BFP')]),
            "model.neck.1: there is no type 'BFP': use type='PAFPN'",
        ),
    ],
)
def test_a_config_is_told(model, complaint):
    with pytest.raises(UserError) as caught:
        check_config(dict(model=dict(type='SOLO', **model)))
    assert complaint in str(caught.value)
