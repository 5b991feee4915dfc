# Data of one's own without a GPU: the narrow network of the embedded data set, from scratch, on
# images of 256 pixels. `bash train.sh FOLDER` writes a config on top of it. In minutes it shows
# whether the data is right; solo_r50_fpn_own, on a GPU, is the model to use.
_base_ = [
    '../_base_/models/solo_r18_fpn_scratch.py',
    '../_base_/datasets/own_instance.py',
    '../_base_/schedules/schedule_own.py',
]

model = dict(
    backbone=dict(base_channels=16),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=48),
    mask_head=dict(in_channels=48, feat_channels=48),
)

resize = dict(type='Resize', scale=(256, 256), keep_ratio=True)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[3:]]
test_pipeline = [*_base_.test_pipeline[:1], resize, *_base_.test_pipeline[2:]]
# A worker would take its core from the network at the wrong moments: loading in turn is quicker.
train_dataloader = dict(
    batch_size=16, num_workers=0, persistent_workers=False, dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

max_iters = 2000
lr = 0.01
train_cfg = dict(max_iters=max_iters, val_interval=500)
default_hooks = dict(checkpoint=dict(interval=500))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=lr, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=lr,
        pct_start=0.1,
        total_steps=max_iters,
        by_epoch=False,
    )
]
