# Two data sets, the smaller one twice as often, simpler augmentation at the end, and TTA
_base_ = ['../../configs/solov2/solov2-light_r18_fpn_ms-3x_coco.py']

metainfo = dict(classes=('bolt', 'nut', 'washer'))
train_pipeline = [
    dict(type='LoadImageFromFile', backend_args={{_base_.backend_args}}),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='RandomChoiceResize', scales=[(768, 512), (768, 416), (768, 352)], keep_ratio=True),
    dict(type='MinIoURandomCrop', min_ious=(0.4, 0.5, 0.6, 0.7, 0.8, 0.9), min_crop_size=0.3),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandAugment', aug_num=1),
    dict(type='PackDetInputs'),
]
train_pipeline_stage2 = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=(768, 512), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
factory_a = dict(
    type='CocoDataset',
    data_root='data/parts/',
    metainfo=metainfo,
    ann_file='train/_annotations.coco.json',
    data_prefix=dict(img='train/'),
    filter_cfg=dict(filter_empty_gt=False),
    pipeline=train_pipeline,
)
factory_b = dict(
    type='RepeatDataset',
    times=2,
    dataset=dict(
        type='CocoDataset',
        data_root='data/more_parts/',
        metainfo=metainfo,
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    ),
)
train_dataloader = dict(
    _delete_=True,
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='ClassAwareSampler', num_sample_class=1),
    dataset=dict(type='ConcatDataset', datasets=[factory_a, factory_b]),
)
val_dataloader = dict(
    dataset=dict(
        data_root='data/parts/',
        metainfo=metainfo,
        ann_file='valid/_annotations.coco.json',
        data_prefix=dict(img='valid/'),
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/parts/valid/_annotations.coco.json')
test_evaluator = val_evaluator
model = dict(mask_head=dict(num_classes=3))
custom_hooks = [
    dict(type='PipelineSwitchHook', switch_epoch=1, switch_pipeline=train_pipeline_stage2)
]

tta_model = dict(type='DetTTAModel', tta_cfg=dict(max_per_img=100))
tta_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=scale, keep_ratio=True)
                for scale in [(768, 512), (768, 416), (768, 352)]
            ],
            [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)],
            [dict(type='LoadAnnotations', with_bbox=True, with_mask=True)],
            [
                dict(
                    type='PackDetInputs',
                    meta_keys=(
                        *('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
                        *('flip', 'flip_direction'),
                    ),
                )
            ],
        ],
    ),
]
