# Data of one's own, in any format: the data set and its place are the inheriting config's to say.
# The truth to measure against comes with the samples: `instances` among the meta_keys.
_base_ = './coco_instance.py'

test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances'),
    ),
]
# Images without objects are learned from, too: in few images, what is none matters.
train_dataloader = dict(
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(filter_cfg=dict(_delete_=True, filter_empty_gt=False)),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='CocoMetric', metric='segm', classwise=True)
test_evaluator = val_evaluator
