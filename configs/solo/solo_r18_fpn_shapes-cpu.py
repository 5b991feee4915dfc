# solo_r18_fpn_shapes for a machine without a GPU: 8 minutes on 2 CPU cores. In minutes, the number
# of images seen counts for more than the network's width and the images' size.
# --amp makes a step a tenth shorter on a CPU that computes with bfloat16; others only emulate it.
_base_ = './solo_r18_fpn_shapes.py'

model = dict(
    backbone=dict(base_channels=16),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=48),
    mask_head=dict(in_channels=48, feat_channels=48),
)

# Half the size: about three times the images in the same time, at a cost in small objects.
resize = dict(type='Resize', scale_factor=0.5, keep_ratio=True)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
test_pipeline = [*_base_.test_pipeline[:1], resize, *_base_.test_pipeline[1:]]
# A worker would take its core from the network at the wrong moments: loading in turn is quicker.
train_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

max_epochs = 16
lr = 0.01
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(lr=lr))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=lr,
        pct_start=0.1,
        total_steps=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
