# SOLO from scratch on the embedded data set, on a GPU: whole images, in mixed precision.
# solo_r18_fpn_shapes-cpu is the narrower network for a machine without one.
_base_ = [
    '../_base_/models/solo_r50_fpn.py',
    '../_base_/datasets/shapes_instance.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        depth=18,
        frozen_stages=-1,
        norm_eval=False,
        # Beginning every block as the identity, as deeper networks want it, costs a short
        # training much of its progress.
        zero_init_residual=False,
        init_cfg=None,
    ),
    neck=dict(
        in_channels=[64, 128, 256, 512],
        out_channels=128,
        # Normalised, the pyramid bears a learning rate several times the usual.
        norm_cfg=dict(type='BN', requires_grad=True),
    ),
    mask_head=dict(
        num_classes=8,
        in_channels=128,
        feat_channels=128,
        stacked_convs=2,
        scale_ranges=((1, 48), (24, 96), (48, 192), (96, 384), (192, 2048)),
        # A cell's masks are learnt from the objects in that cell alone: few cells, and more of
        # them for each object than the usual 0.2, give each cell more objects.
        pos_scale=0.4,
        num_grids=[12, 12, 10, 8, 5],
        norm_cfg=dict(type='GN', num_groups=8, requires_grad=True),
        # The usual weights of std 0.01, and masks that begin at a probability of 0.01, have next
        # to no gradient in the Dice loss.
        init_cfg=[
            dict(type='Kaiming', layer='Conv2d'),
            dict(type='Normal', std=0.01, bias_prob=0.01, override=dict(name='conv_cls')),
        ],
    ),
)

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
