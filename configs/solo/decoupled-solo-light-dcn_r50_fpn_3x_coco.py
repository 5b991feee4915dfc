# The original repository's, whose checkpoint has the first kind of deformable convolution.
_base_ = './decoupled-solo-light_r50_fpn_3x_coco.py'

model = dict(
    backbone=dict(dcn=dict(type='DCN'), stage_with_dcn=(False, True, True, True)),
    mask_head=dict(dcn_cfg=dict(type='DCN')),
)
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
