_base_ = [
    '../_base_/models/solo_r50_fpn.py',
    '../_base_/datasets/coco_instance_lsj.py',
    '../_base_/schedules/schedule_lsj_200e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(batch_augments=[dict(type='BatchFixedSizePad', size=(1024, 1024))])
)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
