# A data set of one's own in COCO's format, with copy-paste on large-scale jitter, and EMA
_base_ = '../../configs/solo/solo_r50_fpn_1x_coco.py'

dataset_type = 'CocoDataset'
data_root = 'data/parts/'
metainfo = {
    'classes': ('bolt', 'nut', 'washer'),
    'palette': [(220, 20, 60), (119, 11, 32), (0, 0, 142)],
}
backend_args = None
image_size = (1024, 1024)

load_pipeline = [
    dict(type='LoadImageFromFile', backend_args=backend_args),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='RandomResize', scale=image_size, ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(
        type='RandomCrop',
        crop_type='absolute',
        crop_size=image_size,
        recompute_bbox=True,
        allow_negative_crop=True,
    ),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=image_size, pad_val=dict(img=(114, 114, 114))),
]
train_pipeline = [dict(type='CopyPaste', max_num_pasted=100), dict(type='PackDetInputs')]

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset=dict(
            type=dataset_type,
            data_root=data_root,
            metainfo=metainfo,
            ann_file='train/_annotations.coco.json',
            data_prefix=dict(img='train/'),
            filter_cfg=dict(filter_empty_gt=True, min_size=32),
            pipeline=load_pipeline,
            backend_args=backend_args,
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file='valid/_annotations.coco.json',
        data_prefix=dict(img='valid/'),
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'valid/_annotations.coco.json', format_only=False)
test_evaluator = val_evaluator

model = dict(mask_head=dict(num_classes=3))
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(lr=0.005),
    clip_grad=dict(max_norm=35, norm_type=2),
)
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.0002,
        update_buffers=True,
        priority=49,
    ),
    dict(type='NumClassCheckHook'),
    dict(type='CheckInvalidLossHook', interval=50, priority='VERY_LOW'),
]
default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(interval=1, max_keep_ckpts=3, save_best='coco/segm_mAP'),
)
