_base_ = './solov2-light_r50_fpn_ms-3x_coco.py'

dcn = dict(type='DCNv2')
model = dict(
    backbone=dict(dcn=dcn, stage_with_dcn=(False, True, True, True)),
    mask_head=dict(
        stacked_convs=3,
        scale_ranges=((1, 64), (32, 128), (64, 256), (128, 512), (256, 2048)),
        dcn_cfg=dcn,
        dcn_apply_to_all_conv=False,
    ),
)
