_base_ = './solov2_r101_fpn_ms-3x_coco.py'

dcn = dict(type='DCNv2')
model = dict(
    backbone=dict(dcn=dcn, stage_with_dcn=(False, True, True, True)),
    mask_head=dict(dcn_cfg=dcn, mask_feature_head=dict(conv_cfg=dcn)),
)
