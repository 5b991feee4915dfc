# A check rather than a recipe: a small model, from scratch, must learn its own training images.
# Point it at a few images in COCO's format with --data-root.
_base_ = [
    '../_base_/models/solo_r50_fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(depth=18, base_channels=32, frozen_stages=-1, norm_eval=False, init_cfg=None),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64),
    mask_head=dict(
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        # A third of COCO's usual resolution: smaller scales, and fewer cells.
        scale_ranges=((1, 48), (24, 96), (48, 192), (96, 384), (192, 1024)),
        num_grids=[24, 20, 16, 12, 8],
        pos_scale=0.4,
        norm_cfg=dict(num_groups=8),
        init_cfg=[
            dict(type='Kaiming', layer='Conv2d'),
            dict(type='Normal', std=0.01, bias_prob=0.01, override=dict(name='conv_cls')),
        ],
    ),
)

scale = (448, 320)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs'),
]
images = dict(ann_file='annotations/instances_train2017.json', data_prefix=dict(img='train2017/'))
train_dataloader = dict(
    batch_size=4,
    dataset=dict(pipeline=train_pipeline, filter_cfg=dict(filter_empty_gt=False), **images),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **images))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/coco/annotations/instances_train2017.json')
test_evaluator = val_evaluator

max_epochs = 80
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=20)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.002, weight_decay=0.01),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=0.002,
        total_steps=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=20, max_keep_ckpts=2))
