import pytest

from mmdet.errors import UserError
from tests.conftest import REPO
from tests.test_configs import load

SOLO = str(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')


def test_work_dir_is_the_options_then_the_configs_then_the_files_name(tmp_path):
    assert load(SOLO).work_dir == 'work_dirs/solo_r50_fpn_1x_coco'
    assert load(SOLO, '--cfg-options', 'work_dir=w').work_dir == 'w'
    assert load(SOLO, '--cfg-options', 'work_dir=w', '--work-dir', 'v').work_dir == 'v'


def test_a_loop_may_be_named_twice():
    assert 'by_epoch' not in load(SOLO, '--cfg-options', 'train_cfg.by_epoch=True').train_cfg


def test_files_that_are_no_configs(tmp_path):
    with pytest.raises(UserError, match='does not exist'):
        load(str(tmp_path / 'none.py'))
    (tmp_path / 'broken.py').write_text('model = dict(\n')
    with pytest.raises(UserError, match=r'broken\.py cannot be read: SyntaxError'):
        load(str(tmp_path / 'broken.py'))
    (tmp_path / 'orphan.py').write_text("_base_ = 'gone.py'\n")
    with pytest.raises(UserError, match=r'gone\.py'):
        load(str(tmp_path / 'orphan.py'))
