_base_ = './solo_r50_fpn.py'

model = dict(
    type='SOLOv2',
    mask_head=dict(
        type='SOLOV2Head',
        feat_channels=512,
        stacked_convs=4,
        mask_feature_head=dict(
            feat_channels=128,
            start_level=0,
            end_level=3,
            out_channels=256,
            mask_stride=4,
            norm_cfg=dict(type='GN', num_groups=32, requires_grad=True),
        ),
    ),
)
