_base_ = [
    '../_base_/models/solov2_r50_fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/schedule_paddle_1x.py',
    '../_base_/default_runtime.py',
]

# Batch norms do not learn; in mmdetection their weights and biases do.
model = dict(backbone=dict(norm_cfg=dict(type='BN', requires_grad=False)))
