import pytest

from mmdet.errors import UserError
from tests.conftest import REPO
from tests.test_configs import load

SOLO = str(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')


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


def test_a_root_that_does_not_exist(tmp_path):
    with pytest.raises(UserError, match='--data-root'):
        load(SOLO, '--data-root', str(tmp_path / 'none'))
