import pytest

from mmdet.errors import UserError
from tests.conftest import REPO
from tests.test_configs import load

SOLO = str(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')
LSJ = str(REPO / 'configs/solo/solo_r50_fpn_8xb8-lsj-200e_coco.py')


def test_settings_change():
    cfg = load(SOLO, '--cfg-options', 'optim_wrapper.optimizer.lr=0.005', 'log_level=DEBUG')
    assert cfg.optim_wrapper.optimizer.lr == 0.005
    assert cfg.log_level == 'DEBUG'


@pytest.mark.parametrize(
    ('config', 'option', 'complaint'),
    [
        (SOLO, 'optim_wraper.optimizer.lr=0.005', "'optim_wraper'; did you mean 'optim_wrapper'"),
        (SOLO, 'nonsense=1', "there is no setting 'nonsense'"),
        (SOLO, 'train_pipeline.2.scale=(1,2)', 'train_dataloader.dataset.pipeline.2.scale'),
        (LSJ, 'train_pipeline.2.scale=(1,2)', 'train_dataloader.dataset.dataset.pipeline.2.scale'),
        (
            SOLO,
            'test_pipeline.1.scale=(1,2)',
            'val_dataloader.dataset.pipeline.1.scale or test_dataloader.dataset.pipeline.1.scale',
        ),
        (SOLO, 'dataset_type=Other', 'change train_dataloader.dataset.type or val_dataloader'),
        (SOLO, 'data_root=data/mine', 'nothing reads this here; .*--data-root DIR'),
        (SOLO, 'launcher=pytorch', 'use --launcher'),
        (SOLO, "custom_imports.imports=['x']", 'write it into a config file'),
        (SOLO, 'lr', "'lr' is not KEY=VALUE"),
        (SOLO, '=3', "'=3' is not KEY=VALUE"),
        (SOLO, 'model.backbone.out_indices=(0,1', 'the brackets in .* do not match'),
        (SOLO, 'model.depth.x.y.0=1', "no argument 'depth'"),
        (SOLO, 'param_scheduler.7.end=1', 'do not fit'),
        (SOLO, 'model.backbone.depth.x=1', 'do not fit'),
    ],
)
def test_what_changes_nothing_is_refused(config, option, complaint):
    with pytest.raises(UserError, match=complaint):
        load(config, '--cfg-options', option)


def test_all_mistakes_come_at_once():
    with pytest.raises(UserError) as caught:
        load(SOLO, '--cfg-options', 'optim_wraper.type=x', 'train_cfg.max_epoch=1', 'data_root=x')
    assert str(caught.value).splitlines()[-1].startswith('3 mistakes in ')
