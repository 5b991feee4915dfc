_base_ = './solov2_r101-vd-dcn_fpn_ms-3x_coco.py'

model = dict(
    backbone=dict(
        depth=50,
        # Batch norms learn, and their statistics are those of all GPUs' images.
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        norm_eval=False,
        # Paddle begins with weights of its own, distilled from a larger network.
        init_cfg=dict(checkpoint='mmcls://resnet50_v1d'),
    ),
    mask_head=dict(
        stacked_convs=3,
        feat_channels=256,
        dcn_apply_to_all_conv=False,
        drop_block=dict(drop_prob=0.1, block_size=3),
        mask_feature_head=dict(out_channels=128),
    ),
)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', begin=0, end=36, by_epoch=True, milestones=[24, 33], gamma=0.1),
]
# The backbone's stages learn slowly, but not what predicts offsets in them, which begins at 0.
# Their norms have no weight decay, which a key of their own must say again.
rates = dict(layer1=0.05, layer2=0.05, layer3=0.1, layer4=0.15)
depths = dict(layer1=3, layer2=4, layer3=6, layer4=3)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            **{f'backbone.{stage}.': dict(lr_mult=rate) for stage, rate in rates.items()},
            **{
                f'backbone.{stage}.{block}.{norm}': dict(lr_mult=rates[stage], decay_mult=0)
                for stage, depth in depths.items()
                for block in range(depth)
                for norm in ('bn', 'downsample.2.')
            },
            '.conv2.conv_offset.': dict(lr_mult=1),
        }
    )
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PhotoMetricDistortion'),
    dict(type='MinIoURandomCrop'),
    dict(
        type='RandomChoiceResize',
        scales=[(852, 512), (852, 480), (852, 448), (852, 416), (852, 384), (852, 352)],
        keep_ratio=True,
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(852, 512), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
