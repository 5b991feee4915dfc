# Data of one's own on a GPU, from ImageNet's weights, in mixed precision: `bash train.sh FOLDER`
# writes a config on top of it. Steps are counted, not epochs: a small data set is seen more often.
_base_ = [
    '../_base_/models/solo_r50_fpn.py',
    '../_base_/datasets/own_instance.py',
    '../_base_/schedules/schedule_own.py',
]

train_dataloader = dict(batch_size=4, num_workers=4)
lr = 0.0025  # 0.01 is for 16 images a step
optim_wrapper = dict(type='AmpOptimWrapper', optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=False, milestones=[6000, 8000], gamma=0.1),
]
