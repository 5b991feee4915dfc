# Rare classes seen more often, and albumentations, as mmdetection's example has it
_base_ = ['../../configs/solo/decoupled-solo_r50_fpn_1x_coco.py']

data_root = 'data/parts/'
classes = ('bolt', 'nut', 'washer')

albu_train_transforms = [
    dict(type='ShiftScaleRotate', shift_limit=0.0625, scale_limit=0.0, rotate_limit=0, p=0.5),
    dict(
        type='RandomBrightnessContrast',
        brightness_limit=[0.1, 0.3],
        contrast_limit=[0.1, 0.3],
        p=0.2,
    ),
    dict(
        type='OneOf',
        transforms=[
            dict(type='RGBShift', r_shift_limit=10, g_shift_limit=10, b_shift_limit=10, p=1.0),
            dict(
                type='HueSaturationValue',
                hue_shift_limit=20,
                sat_shift_limit=30,
                val_shift_limit=20,
                p=1.0,
            ),
        ],
        p=0.1,
    ),
    dict(type='ChannelShuffle', p=0.1),
    dict(
        type='OneOf',
        transforms=[
            dict(type='Blur', blur_limit=3, p=1.0),
            dict(type='MedianBlur', blur_limit=3, p=1.0),
        ],
        p=0.1,
    ),
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='RandomChoiceResize', scales=[(1333, 640), (1333, 800)], keep_ratio=True),
    dict(
        type='Albu',
        transforms=albu_train_transforms,
        bbox_params=dict(
            type='BboxParams',
            format='pascal_voc',
            label_fields=['gt_bboxes_labels', 'gt_ignore_flags'],
            min_visibility=0.0,
            filter_lost_elements=True,
        ),
        keymap={'img': 'image', 'gt_masks': 'masks', 'gt_bboxes': 'bboxes'},
        skip_img_without_anno=True,
    ),
    dict(type='PhotoMetricDistortion', brightness_delta=16),
    dict(type='RandomFlip', prob=[0.3, 0.3], direction=['horizontal', 'vertical']),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=2,
        dataset=dict(
            type='ClassBalancedDataset',
            oversample_thr=0.4,
            dataset=dict(
                type='CocoDataset',
                data_root=data_root,
                metainfo=dict(classes=classes),
                ann_file='train/_annotations.coco.json',
                data_prefix=dict(img='train/'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=train_pipeline,
            ),
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=dict(classes=classes),
        ann_file='valid/_annotations.coco.json',
        data_prefix=dict(img='valid/'),
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'valid/_annotations.coco.json', classwise=True)
test_evaluator = val_evaluator
model = dict(mask_head=dict(num_classes=len(classes)))
auto_scale_lr = dict(enable=False, base_batch_size=16)
