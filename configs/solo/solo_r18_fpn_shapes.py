# SOLO from scratch on the embedded data set, on a GPU: whole images, in mixed precision.
# solo_r18_fpn_shapes-cpu is the narrower network for a machine without one.
_base_ = [
    '../_base_/models/solo_r18_fpn_scratch.py',
    '../_base_/datasets/shapes_instance.py',
    '../_base_/default_runtime.py',
]

model = dict(mask_head=dict(num_classes=8))
train_dataloader = dict(batch_size=16, num_workers=8)
max_epochs = 25
lr = 0.003
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=10),
)
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
