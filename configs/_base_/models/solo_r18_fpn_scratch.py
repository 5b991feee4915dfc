# SOLO R18 that begins from nothing, for images of a few hundred pixels.
_base_ = './solo_r50_fpn.py'

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
