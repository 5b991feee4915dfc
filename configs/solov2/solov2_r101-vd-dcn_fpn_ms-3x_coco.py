_base_ = './solov2_r50_fpn_paddle-ms-3x_coco.py'

dcn = dict(type='DCNv2')
dcn_with_bias = dict(type='DCNv2', bias=True)
model = dict(
    backbone=dict(
        type='ResNetV1d',
        depth=101,
        dcn=dcn,
        stage_with_dcn=(False, True, True, True),
        init_cfg=dict(checkpoint='mmcls://resnet101_v1d'),
    ),
    mask_head=dict(dcn_cfg=dcn_with_bias, mask_feature_head=dict(conv_cfg=dcn_with_bias)),
)

# Twice as long a warm-up as of the others
param_scheduler = [
    dict(type='LinearLR', start_factor=0.0005, by_epoch=False, begin=0, end=2000),
    dict(type='MultiStepLR', begin=0, end=36, by_epoch=True, milestones=[24, 33], gamma=0.1),
]
# The average keeps 0.9998 of itself at a step, and min(0.9998, (1 + step) / (10 + step)) at first.
custom_hooks = [
    dict(type='CurvesHook'),
    dict(
        type='EMAHook',
        ema_type='MomentumAnnealingEMA',
        momentum=0.0002,
        gamma=9,
        update_buffers=True,
    ),
]
