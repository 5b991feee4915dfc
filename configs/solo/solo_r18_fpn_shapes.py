# SOLO from scratch on the embedded data set: 8 minutes on 2 CPU cores. A GPU gets a wider network,
# whole images and more epochs.
_base_ = [
    '../_base_/models/solo_r50_fpn.py',
    '../_base_/datasets/shapes_instance.py',
    '../_base_/default_runtime.py',
]

import pathlib  # noqa: E402 (mmengine takes a config for another kind if an import comes first)

import torch  # noqa: E402

on_gpu = torch.cuda.is_available()
# bfloat16 makes a step a quarter shorter on a CPU that computes with it; others only emulate it.
amp = on_gpu or 'bf16' in pathlib.Path('/proc/cpuinfo').read_text()

# In minutes, the number of images seen counts for more than the network's width.
base_channels, channels = (64, 128) if on_gpu else (16, 48)
max_epochs = 25 if on_gpu else 9 if amp else 8
lr = 0.003 if on_gpu else 0.01

model = dict(
    backbone=dict(
        depth=18,
        base_channels=base_channels,
        frozen_stages=-1,
        norm_eval=False,
        # Beginning every block as the identity, as deeper networks want it, costs a short
        # training much of its progress.
        zero_init_residual=False,
        init_cfg=None,
    ),
    neck=dict(
        in_channels=[base_channels * 2**stage for stage in range(4)],
        out_channels=channels,
        # Normalised, the pyramid bears a learning rate several times the usual.
        norm_cfg=dict(type='BN', requires_grad=True),
    ),
    mask_head=dict(
        num_classes=8,
        in_channels=channels,
        feat_channels=channels,
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

# A worker would take its core from the network at the wrong moments: loading in turn is quicker.
train_dataloader = dict(batch_size=16, num_workers=8 if on_gpu else 0, persistent_workers=on_gpu)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='AmpOptimWrapper' if amp else 'OptimWrapper',
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
