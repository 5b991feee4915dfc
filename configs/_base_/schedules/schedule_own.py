# Counted in steps; the best and the last two checkpoints stay. The runtime is its base, since it
# changes that, too.
_base_ = ['./schedule_1x.py', '../default_runtime.py']

train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=9000, val_interval=1500)
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),  # figures stand at their step in TensorBoard, too
    checkpoint=dict(
        by_epoch=False, interval=1500, max_keep_ckpts=2, save_best='coco/segm_mAP', rule='greater'
    ),
)
log_processor = dict(by_epoch=False)
