_base_ = './solov2_r18_fpn_shapes-cpu.py'

model = dict(
    mask_head=dict(stacked_convs=1, mask_feature_head=dict(feat_channels=32, out_channels=32))
)
