# PaddleDetection's recipe for SOLOv2: 36 epochs, at 16 images a step
_base_ = './schedule_paddle_1x.py'

train_cfg = dict(max_epochs=36)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),
    # mmdetection's: 27 and 33
    dict(type='MultiStepLR', begin=0, end=36, by_epoch=True, milestones=[24, 33], gamma=0.1),
]
