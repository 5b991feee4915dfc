import pytest
from mmengine.config import Config

from mmdet.engine.memory.advice import advice
from tests.conftest import REPO

COCO = REPO / 'configs/solo/solo_r50_fpn_1x_coco.py'
OPTIONS = (
    'batch_size=1',
    'accumulative_counts=2',
    '--auto-batch',
    '--amp',
    'with_cp=True',
    'scale',
)


def test_all_that_helps_is_named():
    said = '\n'.join(advice(Config.fromfile(COCO), stage='train'))
    assert all(option in said for option in OPTIONS), said


@pytest.mark.parametrize(
    ('settings', 'left_out'),
    [
        ({'train_dataloader.batch_size': 1}, ('batch_size', 'accumulative_counts', '--auto-batch')),
        ({'optim_wrapper.type': 'AmpOptimWrapper'}, ('--amp',)),
        ({'model.backbone.with_cp': True}, ('with_cp',)),
        ({'model.backbone.type': 'TIMMBackbone'}, ('with_cp',)),
        ({'model.backbone.type': 'SwinTransformer', 'model.backbone.with_cp': True}, ('with_cp',)),
    ],
)
def test_what_is_in_use_or_does_not_help_is_left_out(settings, left_out):
    cfg = Config.fromfile(COCO)
    cfg.merge_from_dict(settings)
    said = '\n'.join(advice(cfg, stage='train'))
    assert not [option for option in left_out if option in said], said
    assert 'scale in train_dataloader.dataset.pipeline' in said


def test_what_a_backbone_has_is_said():
    cfg = Config.fromfile(COCO)
    cfg.model.backbone.type = 'SwinTransformer'
    assert 'with_cp' in '\n'.join(advice(cfg, stage='train'))


def test_workers_take_memory_when_images_are_loaded():
    said = advice(Config.fromfile(COCO), stage='load')
    assert '    --cfg-options train_dataloader.num_workers=1: fewer at once' in said
    assert not any('--amp' in line for line in said)
