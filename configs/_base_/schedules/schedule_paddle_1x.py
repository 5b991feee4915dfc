# PaddleDetection's recipe for SOLOv2: 12 epochs, at 16 images a step; docs/paddle.md says how it
# differs from mmdetection's.
_base_ = './schedule_1x.py'

param_scheduler = [
    # Paddle's begins at 0, with a step that changes nothing; this one is ahead of it by that step.
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', begin=0, end=12, by_epoch=True, milestones=[8, 11], gamma=0.1),
]
optim_wrapper = dict(
    paramwise_cfg=dict(
        norm_decay_mult=0,
        # The longest key that a parameter's name holds counts.
        custom_keys={
            # Biases of the head's deformable convolutions, which alone has convolutions called so
            '.conv.bias': dict(lr_mult=2, decay_mult=0),
            '.conv.conv_offset.bias': dict(lr_mult=2, decay_mult=0),
            # beside the pyramid, whose biases are as any parameter.
            'neck.lateral_convs': dict(lr_mult=1),
            'neck.fpn_convs': dict(lr_mult=1),
        },
    )
)
