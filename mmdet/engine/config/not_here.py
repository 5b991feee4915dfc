"""What stands in the place of what mmdetection has and this package has not."""

# By mmdetection's or mmpretrain's name, the same architecture in timm
SAME_IN_TIMM = {
    'CSPNeXt': ('cspnext_tiny', 'cspnext_s', 'cspnext_m', 'cspnext_l', 'cspnext_x'),
    'ConvNeXt': ('convnext_tiny', 'convnext_small', 'convnext_base', 'convnext_large'),
    'Darknet': ('darknet53',),
    'EfficientNet': ('tf_efficientnet_b0', 'tf_efficientnet_b3'),
    'HRNet': ('hrnet_w18', 'hrnet_w32', 'hrnet_w40'),
    'MobileNetV2': ('mobilenetv2_100',),
    'PyramidVisionTransformerV2': tuple(f'pvt_v2_b{size}' for size in range(6)),
    'RegNet': (
        *('regnetx_004', 'regnetx_008', 'regnetx_016', 'regnetx_032'),
        *('regnetx_040', 'regnetx_064', 'regnetx_080', 'regnetx_120'),
    ),
    'Res2Net': ('res2net50_26w_4s', 'res2net101_26w_4s'),
    'ResNeSt': ('resnest50d', 'resnest101e'),
}
CLOSE_IN_TIMM = {
    'CSPDarknet': ('cs3darknet_focus_s', 'cs3darknet_focus_m', 'cs3darknet_focus_l'),
    'HourglassNet': ('hrnet_w48',),
    'PyramidVisionTransformer': ('pvt_v2_b2',),
    'SSDVGG': ('vgg16_bn',),
}
_DCN = "dcn=dict(type='DCNv2'), stage_with_dcn=(False, True, True, True)"
HERE = {
    'DetectoRS_ResNet': f"type='ResNet' with {_DCN}",
    'DetectoRS_ResNeXt': f"type='ResNeXt' with {_DCN}",
    'TridentResNet': f"type='ResNet' with {_DCN}",
    **dict.fromkeys(
        (
            *('BFP', 'NASFPN', 'NASFCOS_FPN', 'RFP', 'FPG', 'DyHead', 'SSH'),
            *('YOLOV3Neck', 'YOLOXPAFPN', 'CSPNeXtPAFPN'),
        ),
        "type='PAFPN'",
    ),
    **dict.fromkeys(
        (
            *('ChannelMapper', 'CTResNetNeck', 'DilatedEncoder', 'FPN_CARAFE', 'FPN_DropBlock'),
            *('HRFPN', 'SSDNeck'),
        ),
        "type='FPN'",
    ),
}


_MIX = "put {} into a MultiImageMixDataset's pipeline, which reads each image anew"

# Transforms and hooks, as docs/migration.md lists them
INSTEAD = {
    'CachedMosaic': _MIX.format('Mosaic'),
    'CachedMixUp': _MIX.format('MixUp'),
    'Corrupt': 'take one of albumentations by Albu, or of torchvision by TorchVision',
    'InstaBoost': 'take CopyPaste in a MultiImageMixDataset',
    'ResizeShortestEdge': 'take Resize or RandomChoiceResize with keep_ratio=True',
    'FixScaleResize': 'take Resize with keep_ratio=True',
    'SegRescale': 'leave it out, there are no maps of semantic classes',
    'SetEpochInfoHook': 'leave it out, no part of SOLO asks for the epoch',
    'SyncNormHook': "set sync_bn='torch', which has all processes share their norms' statistics",
    'YOLOXModeSwitchHook': 'take PipelineSwitchHook, with the pipeline of the last epochs',
    'MeanTeacherHook': 'take EMAHook',
}


def what_instead(name: str) -> str | None:
    """Return what to write in the place of a type, or None if nothing is known.

    Examples:
        >>> what_instead('mmdet.MobileNetV2')
        "timm has it: type='TIMMBackbone', model_name='mobilenetv2_100'"
    """
    name = name.rpartition('.')[2]
    if name in INSTEAD:
        return INSTEAD[name]
    if name in HERE:
        return f'use {HERE[name]}'
    for table, found in ((SAME_IN_TIMM, 'it'), (CLOSE_IN_TIMM, 'what is close to it')):
        if name in table:
            *others, last = map(repr, table[name])
            models = f'{", ".join(others)} or {last}' if others else last
            return f"timm has {found}: type='TIMMBackbone', model_name={models}"
    return None
