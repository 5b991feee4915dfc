"""What the check of configs finds, and what it lets pass."""

import copy
import re

import pytest
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage

from mmdet.engine.config import check_config, require_stage
from mmdet.engine.config.not_here import INSTEAD
from mmdet.errors import UserError
from mmdet.registry import DATASETS, HOOKS, TRANSFORMS
from tests.conftest import REPO
from tests.test_configs import load

SOLO = str(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')
SOLOV2 = str(REPO / 'configs/solov2/solov2_r50_fpn_1x_coco.py')


@pytest.fixture(scope='module')
def shipped() -> dict:
    return Config.fromfile(SOLO).to_dict()


@pytest.fixture
def cfg(shipped) -> dict:
    """SOLO's config, for a test to change."""
    return copy.deepcopy(shipped)


def complaint_of(cfg: dict) -> str:
    with pytest.raises(UserError) as caught:
        check_config(cfg, source='c.py')
    return str(caught.value)


@pytest.mark.parametrize(
    ('option', 'complaint'),
    [
        ('model.mask_head.num_clases=8', "no argument 'num_clases'; did you mean 'num_classes'"),
        ('model.backbone.deep=50', "ResNet has no argument 'deep'; did you mean 'depth'"),
        ('model.backbone.pretrained=x', "no argument 'pretrained': set init_cfg=dict"),
        ('model.backbone.plugins=x', "no argument 'plugins': .* type='TIMMBackbone'"),
        ('model.mask_head.type=SOLOHed', "no type 'SOLOHed'; did you mean 'SOLOHead'"),
        ('model.mask_head.type=Resize', "'Resize' is a transform, not a model"),
        ('model.mask_head.num_classes=8', 'num_classes is 8, but train_dataloader has 80'),
        ('model.neck.norm_cfg.typo=1', 'model.neck.norm_cfg: it names no type of a model'),
        ('model.mask_head.norm_cfg.num_group=8', "GN has no argument 'num_group'"),
        ('model.backbone.init_cfg.checkpiont=x', "Pretrained has no argument 'checkpiont'"),
        ('model.backbone=ResNet', "model.backbone is 'ResNet' .str., not dict"),
        ('model.test_cfg.nms_prae=1', "test_cfg has no argument 'nms_prae'; .* 'nms_pre'"),
        ('model.test_cfg.kernel=gausian', "model.test_cfg: .* no kernel='gausian'"),
        ('model.test_cfg.score_thr=high', "score_thr is 'high' .str., not number"),
        ('train_dataloader.dataset.filter=1', "CocoDataset has no argument 'filter'"),
        ('train_dataloader.dataset.pipeline.1.mask=1', "LoadAnnotations has no argument 'mask'"),
        ('train_dataloader.dataset.pipeline.2.scal=1', "Resize has no argument 'scal'"),
        ('train_dataloader.batchsize=2', "no setting 'batchsize'; did you mean 'batch_size'"),
        ('train_dataloader.batch_size=0', 'train_dataloader: batch_size should be a positive'),
        ('train_dataloader.num_workers=0', 'persistent_workers option needs num_workers > 0'),
        ('train_dataloader.sampler.shufle=True', "no argument 'shufle'; did you mean 'shuffle'"),
        ('train_dataloader.batch_sampler.drop=True', "BatchSampler has no argument 'drop'"),
        ('train_dataloader.sampler.type=InfiniteSampler', 'never comes to an end, and train_cfg'),
        ('train_dataloader.sampler.type=mmdet.InfiniteSampler', 'InfiniteSampler never'),
        ('train_dataloader.sampler.seed=a', r"sampler.seed is 'a' \(str\), not integer"),
        (
            'val_dataloader.collate_fn.type=pseudo',
            "no type 'pseudo'; .* 'pseudo_collate'",
        ),
        ('val_evaluator.clasewise=1', "no argument 'clasewise'; did you mean 'classwise'"),
        ('default_hooks.visualization.intervall=1', "no argument 'intervall'"),
        ('default_hooks.checkpoint.intervall=1', "no argument 'intervall'; .* 'interval'"),
        ('default_hooks.chekpoint.interval=1', "names no type of hook; did you mean 'checkpoint'"),
        ('default_hooks.logger.interval=often', "logger.interval is 'often' .str., not integer"),
        ('custom_hooks.0.metric=x', "CurvesHook has no argument 'metric'; did you mean 'metrics'"),
        ('optim_wrapper.optimizer.learning_rate=1', "SGD has no argument 'learning_rate'"),
        ('optim_wrapper.optimizer.lr=abc', r"optimizer.lr is 'abc' \(str\), not number"),
        ('optim_wrapper.optimizer.lr=-1', 'optim_wrapper.optimizer: Invalid learning rate: -1'),
        ('optim_wrapper.optimizer.type=Sdg', "no type 'Sdg'; did you mean 'SGD'"),
        ('optim_wrapper.clip_grad.max_nrom=1', "no setting 'max_nrom'; did you mean 'max_norm'"),
        ('optim_wrapper.clip_grad.norm_type=2', "optim_wrapper.clip_grad needs 'max_norm'"),
        (
            'optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mul=0.1',
            r"custom_keys\['backbone'\] has no setting 'lr_mul'; did you mean 'lr_mult'",
        ),
        ('optim_wrapper.clipgrad.max_norm=1', "no argument 'clipgrad'; did you mean 'clip_grad'"),
        ('optim_wrapper.paramwise_cfg.bias_lr=1', "no setting 'bias_lr'; .* 'bias_lr_mult'"),
        ('optim_wrapper.constructor=Mine', "optim_wrapper.constructor: there is no type 'Mine'"),
        ('optim_wrapper.optimizer.type=Resize', "'Resize' is a transform, not an optimizer"),
        ('optim_wrapper.optimizer.type=3', 'type is 3, not the name of an optimizer'),
        ('optim_wrapper.optimizer=SGD', "optimizer is 'SGD', which describes no optimizer"),
        ('train_cfg.type=SGD', "train_cfg: 'SGD' is an optimizer, not a loop"),
        ('train_cfg.max_epoch=1', "no argument 'max_epoch'; did you mean 'max_epochs'"),
        ("train_cfg.max_epochs='12a'", r"train_cfg.max_epochs is '12a' \(str\), not integer"),
        ('train_cfg.max_epochs=0', 'train_cfg.max_epochs is 0, which is below 1'),
        ('train_cfg.by_epoch=False', "type='EpochBasedTrainLoop' and by_epoch=False contradict"),
        ('val_cfg.fp=True', "ValLoop has no argument 'fp'; did you mean 'fp16'"),
        ('param_scheduler.0.start=1', "param_scheduler.0: LinearLR has no argument 'start'"),
        ('param_scheduler.1.end=0', 'param_scheduler.1: end should be larger than begin'),
        ('env_cfg.cudnn_benchmrak=1', "no setting 'cudnn_benchmrak'; .* 'cudnn_benchmark'"),
        ('env_cfg.mp_cfg.start=fork', "env_cfg.mp_cfg has no setting 'start'"),
        ('env_cfg.dist_cfg.backed=nccl', "dist_cfg has no setting 'backed'; .* 'backend'"),
        ('visualizer.vis_backends.0.type=Wandb', "no type 'Wandb'; .* 'WandbVisBackend'"),
        ('sync_bn=mmcv', r"sync_bn is 'mmcv' \(str\), not "),
        ('visualizer.alfa=1', "DetLocalVisualizer has no argument 'alfa'"),
        ('log_processor.window=1', "LogProcessor has no argument 'window'; .* 'window_size'"),
        ('randomness.sede=1', "randomness has no setting 'sede'; did you mean 'seed'"),
        ('auto_scale_lr.enabled=True', "no setting 'enabled'; did you mean 'enable'"),
        ('model_wrapper_cfg.find_unused=True', "no argument 'find_unused'"),
        ('model=None', "there is no 'model'"),
        ('val_evaluator=None', 'val_dataloader needs val_evaluator beside it'),
        ('resume=work_dirs/x.pth', r"resume is 'work_dirs/x.pth' \(str\), not bool"),
        ('runner_type=SGD', "runner_type: 'SGD' is an optimizer, not a runner"),
        ('runner_type=Runer', "runner_type: there is no type 'Runer'; did you mean 'Runner'"),
    ],
)
def test_mistakes_are_named(option, complaint):
    with pytest.raises(UserError, match=complaint):
        load(SOLO, '--cfg-options', option)


@pytest.mark.parametrize(
    ('loader', 'complaint'),
    [
        (dict(batch_sampler=dict(type='AspectRatioBatchSampler')), 'batch_sampler=None'),
        (dict(batch_size=8), 'sampler.batch_size is 4, and train_dataloader.batch_size is 8'),
        (dict(sampler=dict(type='MultiSourceSampler', batch_size=4)), "needs .* 'source_ratio'"),
        ({}, None),
    ],
)
def test_batches_of_several_sources_stay_as_they_are(cfg, loader, complaint):
    sampler = dict(type='GroupMultiSourceSampler', batch_size=4, source_ratio=[1, 3])
    cfg['train_cfg'] = dict(type='IterBasedTrainLoop', max_iters=9)
    cfg['train_dataloader'].update(batch_size=4, batch_sampler=None, sampler=sampler)
    cfg['train_dataloader'].update(loader)
    if complaint is None:
        check_config(cfg)
    else:
        assert re.search(complaint, complaint_of(cfg))


@pytest.mark.parametrize(
    ('transform', 'complaint'),
    [
        (dict(type='Rotate', max_mag='30'), "max_mag is '30' .str., not number"),
        (dict(type='Expand', seg_ignore_label=255), "no argument 'seg_ignore_label'"),
        (dict(type='AutoAugment', policies=[[dict(type='Rotat')]]), "no type 'Rotat'; .* 'Rotate'"),
        (
            dict(type='TorchVision', transforms=[dict(type='RandomRotate')]),
            "pipeline.2: TorchVision: .* no 'RandomRotate'; did you mean 'RandomRotation'",
        ),
        (dict(type='TorchVision'), "TorchVision needs the argument 'transforms'"),
        (dict(type='TorchVision', transforms='RandomCrop'), "transforms is 'RandomCrop' .str."),
        (dict(type='TorchVision', transform=[]), "no argument 'transform'; .* 'transforms'"),
        (dict(type='RandAugment', aug_space=[[dict(type='Color', prop=1)]]), "no argument 'prop'"),
    ],
)
def test_mistakes_in_transforms_are_named(cfg, transform, complaint):
    cfg['train_dataloader']['dataset']['pipeline'].insert(2, transform)
    assert re.search(complaint, complaint_of(cfg))


def test_arguments_as_mmdetections_configs_have_them(cfg):
    pipeline = cfg['train_dataloader']['dataset']['pipeline']
    pipeline[2:2] = [
        dict(type='Expand', mean=[123.675, 116.28, 103.53], to_rgb=True, ratio_range=(1, 4)),
        dict(type='MinIoURandomCrop', min_ious=(0.1, 0.3), min_crop_size=0.3),
        dict(type='PhotoMetricDistortion', brightness_delta=32, contrast_range=(0.5, 1.5)),
        dict(type='RandomAffine', scaling_ratio_range=(0.1, 2), border=(-320, -320)),
        dict(type='RandomErasing', n_patches=(1, 5), ratio=(0, 0.2)),
        dict(type='CutOut', n_holes=(1, 3), cutout_shape=[(8, 8), (16, 8)]),
        dict(type='RandAugment', aug_space=[[dict(type='Color')], [dict(type='Rotate')]]),
        dict(type='AutoAugment', policies=[[dict(type='Rotate', level=8, prob=0.6)]]),
        dict(type='TorchVision', transforms=[dict(type='RandomPerspective', p=0.3)]),
        dict(type='FixShapeResize', width=640, height=640, keep_ratio=True),
    ]
    check_config(cfg, source='c.py')


def test_a_mistake_in_the_mask_features_head_is_named():
    with pytest.raises(UserError, match=r"mask_feature_head has no argument 'chans'"):
        load(SOLOV2, '--cfg-options', 'model.mask_head.mask_feature_head.chans=8')


def test_a_mistake_in_drop_block_is_named():
    name = 'model.mask_head.drop_block'
    load(SOLOV2, '--cfg-options', f'{name}.drop_prob=0.1', f'{name}.block_size=3')
    with pytest.raises(UserError, match=r"has no argument 'keep_prob'"):
        load(SOLOV2, '--cfg-options', f'{name}.keep_prob=0.9', f'{name}.block_size=3')


@pytest.mark.parametrize(
    ('place', 'key', 'complaint'),
    [
        ('train_dataloader', 'sampler', "train_dataloader needs 'sampler'"),
        ('train_dataloader', 'batch_size', "train_dataloader needs 'batch_size'"),
        ('train_cfg', 'max_epochs', "EpochBasedTrainLoop needs the argument 'max_epochs'"),
        ('train_cfg', 'type', "train_cfg needs type='EpochBasedTrainLoop' or by_epoch=True"),
        ('optim_wrapper', 'optimizer', "optim_wrapper needs 'optimizer'"),
        ('model', 'neck', "SOLO needs the argument 'neck'"),
        ('val_evaluator', 'ann_file', 'or name ann_file'),
    ],
)
def test_what_is_missing_is_named(cfg, place, key, complaint):
    del cfg[place][key]
    assert complaint in complaint_of(cfg)


@pytest.mark.parametrize('stage', ['val', 'test'])
def test_without_an_annotation_file_the_metric_needs_the_instances(cfg, stage):
    cfg[f'{stage}_evaluator'] = [dict(type='CocoMetric')]
    assert (
        f'{stage}_evaluator: CocoMetric without ann_file measures against what the data set has: '
        "add 'instances' to the meta_keys of PackDetInputs"
    ) in complaint_of(cfg)
    pack = cfg[f'{stage}_dataloader']['dataset']['pipeline'][-1]
    pack['meta_keys'] = ('img_id', 'ori_shape', 'instances')
    check_config(cfg)


def test_all_mistakes_come_at_once(cfg):
    cfg['train_cfg']['max_epoch'] = 3
    cfg['model']['backbone']['deep'] = 50
    cfg['optim_wrapper']['optimizer']['lr'] = 'abc'
    lines = complaint_of(cfg).splitlines()
    assert [line.split(':')[0].split(' ')[0] for line in lines[:-1]] == [
        'model.backbone',
        'optim_wrapper.optimizer.lr',
        'train_cfg',
    ]
    assert lines[-1].startswith('3 mistakes in c.py; the first: model.backbone: ResNet has no arg')


def test_one_mistake_is_one_line(cfg):
    cfg['train_cfg']['max_epoch'] = 3
    assert complaint_of(cfg) == (
        "c.py: train_cfg: EpochBasedTrainLoop has no argument 'max_epoch'; did you mean "
        "'max_epochs'?"
    )


def test_what_users_of_mmdetection_write_passes(cfg):
    cfg['model'] |= dict(_scope_='mmdet', train_cfg=None)
    cfg['model']['backbone'] |= dict(
        _scope_='mmdet',
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
        norm_cfg=dict(type='BN', requires_grad=False),
    )
    cfg['model']['data_preprocessor']['batch_augments'] = [
        dict(type='BatchFixedSizePad', size=(1024, 1024))
    ]
    cfg['model']['mask_head']['init_cfg'] = [
        dict(type='Kaiming', layer='Conv2d'),
        dict(type='Normal', std=0.01, bias_prob=0.01, override=dict(name='conv_cls')),
    ]
    cfg |= dict(
        train_cfg=dict(by_epoch=False, max_iters=1000, val_interval=100),
        param_scheduler=dict(type='OneCycleLR', eta_max=0.01, total_steps=1000, by_epoch=False),
        optim_wrapper=dict(
            type='AmpOptimWrapper',
            loss_scale='dynamic',
            accumulative_counts=2,
            optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), fused=True),
            paramwise_cfg=dict(
                custom_keys={'backbone': dict(lr_mult=0.1, decay_mult=1.0)},
                norm_decay_mult=0.0,
                bypass_duplicate=True,
            ),
            clip_grad=dict(type='value', clip_value=0.2),
        ),
        custom_hooks=[
            dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=2e-4, priority=49),
            dict(type='EarlyStoppingHook', monitor='coco/segm_mAP', patience=3),
        ],
        val_evaluator=[cfg['val_evaluator'], dict(cfg['val_evaluator'], prefix='again')],
        test_evaluator=dict(metrics=[cfg['test_evaluator']]),
        model_wrapper_cfg=dict(type='MMDistributedDataParallel', find_unused_parameters=True),
        find_unused_parameters=True,
        randomness=dict(seed=0, deterministic=True),
        runner_type='Runner',
        log_level='DEBUG',
        compile=True,
        default_scope=None,
        custom_imports=dict(imports=['json'], allow_failed_imports=False),
        env_cfg=dict(
            cudnn_benchmark=True,
            mp_cfg=dict(mp_start_method='spawn', opencv_num_threads=0),
            dist_cfg=dict(backend='nccl', timeout=3600),
            resource_limit=8192,
        ),
        visualizer=dict(
            type='DetLocalVisualizer',
            vis_backends=[
                dict(type='TensorboardVisBackend'),
                dict(type='WandbVisBackend', init_kwargs=dict(project='x', config=dict(type='y'))),
            ],
        ),
        # Variables of the file's own, some of which look like something else.
        albu=[dict(type='ShiftScaleRotate', shift_limit=0.0625), dict(type='RGBShift')],
        tta_model=dict(type='DetTTAModel', tta_cfg=dict(max_per_img=100)),
        tta_pipeline=[dict(type='TestTimeAug', transforms=[[dict(type='Nothing')]])],
        img_scales=[(1333, 800), (666, 400)],
        file_client_args=dict(backend='disk'),
        optimizer=dict(type='Whatever', learning_rate=1),
        dataset_type='CocoDataset',
        train_evaluator=dict(type='CocoMetric'),
        mode='train',
    )
    cfg['default_hooks'] |= dict(
        timer=None,
        checkpoint=dict(
            type='CheckpointHook', interval=1, save_best='auto', rule='greater', max_keep_ckpts=3
        ),
    )
    dataset = cfg['train_dataloader']['dataset']
    dataset |= dict(metainfo=dict(classes=tuple(map(str, range(80))), palette=[(0, 0, 0)] * 80))
    cfg['train_dataloader'] |= dict(
        prefetch_factor=4,
        collate_fn=dict(type='pseudo_collate'),
        dataset=dict(
            type='RepeatDataset',
            times=2,
            dataset=dict(type='ConcatDataset', datasets=[dataset, dict(dataset, test_mode=True)]),
        ),
    )
    dataset['pipeline'][2:2] = [
        dict(type='RandomChoice', transforms=[[dict(type='RandomFlip', prob=0.5)], []]),
        dict(type='RandomApply', transforms=[dict(type='Resize', scale=[1333, 800])], prob=0.5),
        dict(type='RandomChoiceResize', scales=[(1, 2)], keep_ratio=True, backend='pillow'),
        dict(type='RandomResize', scale=(1, 2), resize_type='Resize', keep_ratio=True),
        dict(type='LoadImageFromFile', backend_args=dict(backend='petrel', type='s3')),
    ]
    check_config(cfg)


def test_transforms_that_resize_name_what_they_do_not_know(cfg):
    pipeline = cfg['train_dataloader']['dataset']['pipeline']
    pipeline[2] = dict(type='RandomChoiceResize', scales=[(1, 2)], keep_ration=True)
    pipeline[3] = dict(type='RandomResize', scale=(1, 2), keep_ration=True)
    pipeline[4] = dict(type='RandomApply', transforms=[dict(type='RandomFlip', probe=1)])
    complaint = complaint_of(cfg)
    assert "RandomChoiceResize has no argument 'keep_ration'; did you" in complaint
    assert "RandomResize has no argument 'keep_ration'; did you mean 'keep_ratio'" in complaint
    assert "pipeline.4.transforms.0: RandomFlip has no argument 'probe'" in complaint


@pytest.fixture
def own_classes():
    """A hook, a transform and a data set that a user's module registered."""

    class OwnHook:
        def __init__(self, message: int, settings: dict | None = None) -> None: ...

    class OwnTransform:
        def __init__(self, transforms: list) -> None: ...

    class OwnDataset:
        def __init__(self, **anything: object) -> None: ...

    classes = {OwnHook: HOOKS, OwnTransform: TRANSFORMS, OwnDataset: DATASETS}
    for cls, registry in classes.items():
        registry.register_module(module=cls)
    yield
    for cls, registry in classes.items():
        registry.module_dict.pop(cls.__name__)


def test_a_users_class_is_held_against_its_own_signature_alone(cfg, own_classes):
    foreign = [dict(type='HorizontalFlip', p=0.5), dict(type='Resize', height=5)]
    cfg['train_dataloader']['dataset']['pipeline'][2:2] = [
        dict(type='OwnTransform', transforms=foreign)
    ]
    cfg['val_dataloader']['dataset'] = dict(type='OwnDataset', dataset=dict(type='theirs'), x=1)
    cfg['custom_hooks'].append(dict(type='OwnHook', message='text', settings=dict(type='theirs')))
    check_config(cfg)
    cfg['custom_hooks'].append(dict(type='OwnHook', mesage=1))
    complaint = complaint_of(cfg)
    assert "OwnHook has no argument 'mesage'; did you mean 'message'" in complaint
    assert "OwnHook needs the argument 'message'" in complaint


def test_amp_and_parameter_groups_go_together():
    options = ['optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.paramwise_cfg.bias_lr_mult=2.0']
    assert load(SOLO, '--cfg-options', *options).optim_wrapper.paramwise_cfg.bias_lr_mult == 2


def test_a_stage_that_a_config_says_nothing_of(cfg):
    require_stage(cfg, 'train', source='c.py')
    old = dict(model=dict(), data=dict(samples_per_gpu=2))
    with pytest.raises(UserError, match=r'c.py has no train_dataloader, no .* mmdetection 2.x'):
        require_stage(old, 'train', source='c.py')


def test_what_a_hook_hands_on_is_named(cfg):
    cfg['custom_hooks'].append(dict(type='EMAHook', momentun=2e-4))
    assert "EMAHook has no argument 'momentun'; did you mean 'momentum'" in complaint_of(cfg)
    average = dict(type='EMAHook', ema_type='ExpMomentumEMA', gama=9, update_buffers='no')
    cfg['custom_hooks'][-1] = average
    complaint = complaint_of(cfg)
    assert "EMAHook has no argument 'gama'; did you mean 'gamma'" in complaint
    assert "update_buffers is 'no' (str), not bool" in complaint


def test_the_pipeline_to_switch_to_is_looked_into(cfg):
    pipeline = [dict(type='Resize', scal=1), dict(type='Resise')]
    hook = dict(type='PipelineSwitchHook', switch_epoch=1, switch_pipeline=pipeline)
    cfg['custom_hooks'].append(hook)
    complaint = complaint_of(cfg)
    assert "switch_pipeline.0: Resize has no argument 'scal'; did you mean 'scale'" in complaint
    assert "switch_pipeline.1: there is no type 'Resise'; did you mean 'Resize'" in complaint


def test_the_settings_of_another_constructor_are_its_own(cfg):
    decay = dict(decay_rate=0.7, decay_type='layer_wise', num_layers=6)
    constructor = 'LearningRateDecayOptimizerConstructor'
    cfg['optim_wrapper'].update(constructor=constructor, paramwise_cfg=decay)
    check_config(cfg)
    cfg['optim_wrapper']['paramwise_cfg'] = dict(decay_rat=0.7)
    complaint = complaint_of(cfg)
    assert "paramwise_cfg has no setting 'decay_rat'; did you mean 'decay_rate'" in complaint
    assert "paramwise_cfg needs 'decay_rate'" in complaint
    cfg['optim_wrapper']['optimizer']['type'] = 'Adm'
    assert "no type 'Adm'; did you mean 'Adam'" in complaint_of(cfg)


def test_what_is_missing_is_refused_with_what_the_documentation_says(cfg):
    page = (REPO / 'docs/migration.md').read_text().split('## What is missing')[1]
    assert set(re.findall('`(\\w+)`', page)) > set(INSTEAD)
    assert not [name for name in INSTEAD for registry in (HOOKS, TRANSFORMS) if registry.get(name)]
    cfg['custom_hooks'] = [dict(type='mmdet.YOLOXModeSwitchHook', num_last_epochs=15)]
    assert "no type 'YOLOXModeSwitchHook': take PipelineSwitchHook, with" in complaint_of(cfg)


def test_schedules_of_several_optimizers(cfg):
    rest = dict(type='MultiStep')
    cfg['param_scheduler'] = dict(head=[dict(type='LinearLR', start=1)], rest=rest)
    complaint = complaint_of(cfg)
    assert "param_scheduler.head.0: LinearLR has no argument 'start'" in complaint
    assert "param_scheduler.rest: there is no type 'MultiStep'" in complaint


def test_num_classes_of_data_sets_that_are_joined(cfg):
    dataset = dict(cfg['train_dataloader']['dataset'], metainfo=dict(classes=('bolt',)))
    cfg['train_dataloader']['dataset'] = dict(type='ConcatDataset', datasets=[dataset, dataset])
    assert 'num_classes is 80, but train_dataloader has 1 classes' in complaint_of(cfg)


def test_types_may_be_classes_or_carry_this_projects_scope(cfg):
    average = dict(ema_type=ExponentialMovingAverage, momentum=2e-4)
    cfg['custom_hooks'] = [
        dict(type=EMAHook, **average),
        dict(type='mmdet.EMAHook', **average),
        dict(type='mmdet.EMAHook', ema_type='mmdet.ExpMomentumEMA', gamma=1000),
    ]
    cfg['train_dataloader']['sampler'] = dict(type='mmdet.DefaultSampler')
    cfg['optim_wrapper']['optimizer'] = dict(type='mmdet.SGD', lr=0.01)
    check_config(cfg)
    cfg['custom_hooks'][0]['momentun'] = 0.1
    assert "'momentun'; did you mean 'momentum'?" in complaint_of(cfg)


def test_settings_that_mmengine_and_torch_read_from_text(cfg):
    cfg['optim_wrapper']['clip_grad'] = dict(max_norm=35, norm_type='inf')
    cfg |= dict(efficient_conv_bn_eval='backbone')
    cfg['custom_hooks'] = [dict(type='ProfilerHook', on_trace_ready=dict(type='tb_trace'))]
    check_config(cfg)


def test_mmengines_checkpointing_is_refused(cfg):
    """It would train without a word, but not the backbone: see `ResNet`'s `with_cp`."""
    cfg['activation_checkpointing'] = ['backbone']
    assert 'model.backbone.with_cp=True' in complaint_of(cfg)
