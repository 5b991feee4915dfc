_base_ = '../solo/solo_r18_fpn_shapes-cpu.py'

model = dict(
    type='SOLOv2',
    mask_head=dict(
        type='SOLOV2Head',
        mask_feature_head=dict(
            feat_channels=48,
            start_level=0,
            end_level=3,
            out_channels=48,
            mask_stride=4,
            norm_cfg=dict(type='GN', num_groups=8, requires_grad=True),
        ),
    ),
)
