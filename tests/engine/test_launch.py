import pytest

from mmdet.errors import UserError
from tests.conftest import REPO
from tests.test_configs import load

SOLO = str(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')
SOLOV2 = str(REPO / 'configs/solov2/solov2_r50_fpn_1x_coco.py')


def test_work_dir_is_the_options_then_the_configs_then_the_files_name(tmp_path):
    assert load(SOLO).work_dir == 'work_dirs/solo_r50_fpn_1x_coco'
    assert load(SOLO, '--cfg-options', 'work_dir=w').work_dir == 'w'
    assert load(SOLO, '--cfg-options', 'work_dir=w', '--work-dir', 'v').work_dir == 'v'


def test_data_root_moves_data_sets_and_evaluators(tmp_path):
    cfg = load(SOLO, '--data-root', str(tmp_path))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert cfg[loader].dataset.data_root == str(tmp_path)
    for evaluator in ('val_evaluator', 'test_evaluator'):
        assert cfg[evaluator].ann_file == f'{tmp_path}/annotations/instances_val2017.json'


def test_data_root_reaches_into_wrappers(tmp_path):
    path = tmp_path / 'wrapped.py'
    path.write_text(
        f"_base_ = '{SOLO}'\n"
        "train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=2,\n"
        "    dataset=dict(type='ConcatDataset', datasets=[\n"
        "        dict(type='CocoDataset', ann_file='a.json', data_root='old')])))\n"
    )
    cfg = load(str(path), '--data-root', str(tmp_path))
    assert cfg.train_dataloader.dataset.dataset.datasets[0].data_root == str(tmp_path)


@pytest.mark.parametrize(
    ('options', 'complaint'),
    [
        (['model.mask_head.num_clases=8'], "no argument 'num_clases'; did you mean 'num_classes'"),
        (['model.backbone.deep=50'], "ResNet has no argument 'deep'; did you mean 'depth'"),
        (['model.mask_head.type=SOLOHed'], "no type 'SOLOHed'; did you mean 'SOLOHead'"),
        (['model.mask_head.num_classes=8'], 'num_classes is 8, but train_dataloader has 80'),
        (['train_dataloader.dataset.filter=1'], "CocoDataset has no argument 'filter'"),
        (['train_dataloader.dataset.pipeline.1.mask=1'], "LoadAnnotations has no argument 'mask'"),
        (['train_dataloader.dataset.pipeline.2.scal=1'], "Resize has no argument 'scal'"),
        (['val_evaluator.clasewise=1'], "no argument 'clasewise'; did you mean 'classwise'"),
        (['default_hooks.visualization.intervall=1'], "no argument 'intervall'"),
        (['model.test_cfg.nms_prae=1'], "DecodeConfig has no argument 'nms_prae'; .* 'nms_pre'"),
        (['train_cfg.by_epoch=False'], "type='EpochBasedTrainLoop' and by_epoch=False contradict"),
        (['model.depth.x.y.0=1'], None),
    ],
)
def test_mistakes_are_named(options, complaint):
    with pytest.raises(UserError, match=complaint):
        load(SOLO, '--cfg-options', *options)


def test_a_mistake_in_the_mask_features_head_is_named():
    with pytest.raises(
        UserError, match="mask_feature_head: MaskFeatModule has no argument 'chans'"
    ):
        load(SOLOV2, '--cfg-options', 'model.mask_head.mask_feature_head.chans=8')


def test_a_loop_may_be_named_twice():
    assert 'by_epoch' not in load(SOLO, '--cfg-options', 'train_cfg.by_epoch=True').train_cfg


def test_amp_and_parameter_groups_go_together():
    options = ['optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.paramwise_cfg.bias_lr_mult=2.0']
    assert load(SOLO, '--cfg-options', *options).optim_wrapper.paramwise_cfg.bias_lr_mult == 2


def test_files_that_are_no_configs(tmp_path):
    with pytest.raises(UserError, match='does not exist'):
        load(str(tmp_path / 'none.py'))
    (tmp_path / 'broken.py').write_text('model = dict(\n')
    with pytest.raises(UserError, match=r'broken\.py cannot be read: SyntaxError'):
        load(str(tmp_path / 'broken.py'))
    (tmp_path / 'orphan.py').write_text("_base_ = 'gone.py'\n")
    with pytest.raises(UserError, match=r'gone\.py'):
        load(str(tmp_path / 'orphan.py'))
    with pytest.raises(UserError, match='--data-root'):
        load(SOLO, '--data-root', str(tmp_path / 'none'))
