import pytest

from mmdet.errors import UserError
from tests.conftest import REPO
from tests.test_configs import load

SOLO = str(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')
SOLOV2 = str(REPO / 'configs/solov2/solov2_r50_fpn_1x_coco.py')


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
        (['model.test_cfg.nms_prae=1'], "TestConfig has no argument 'nms_prae'; .* 'nms_pre'"),
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


def test_amp_and_parameter_groups_go_together():
    options = ['optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.paramwise_cfg.bias_lr_mult=2.0']
    assert load(SOLO, '--cfg-options', *options).optim_wrapper.paramwise_cfg.bias_lr_mult == 2
