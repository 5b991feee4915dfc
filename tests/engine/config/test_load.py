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
    with pytest.raises(UserError, match='no such config file'):
        load(str(tmp_path / 'none.py'))
    (tmp_path / 'broken.py').write_text('model = dict(\n')
    with pytest.raises(UserError, match=r'broken\.py cannot be read: SyntaxError'):
        load(str(tmp_path / 'broken.py'))
    (tmp_path / 'orphan.py').write_text("_base_ = 'gone.py'\n")
    with pytest.raises(UserError, match=r'gone\.py'):
        load(str(tmp_path / 'orphan.py'))


def test_work_dir_of_the_config_counts(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = '{SOLO}'\nwork_dir = 'runs/mine'\n")
    assert load(str(path)).work_dir == 'runs/mine'


def test_a_hook_may_be_none():
    hooks = load(SOLO, '--cfg-options', 'default_hooks.visualization=None').default_hooks
    assert 'visualization' not in hooks
    assert load(SOLO, '--cfg-options', 'default_hooks.timer=None').default_hooks.timer is None


def test_a_slip_of_the_pen_in_a_file_is_named(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(
        f"_base_ = '{SOLO}'\noptim_wraper = dict(optimizer=dict(lr=0.1))\nlr = 0.1\nmine = dict()\n"
    )
    with pytest.raises(UserError, match=r"mine.py: optim_wraper: .* did you mean 'optim_wrapper'"):
        load(str(path))


def test_values_of_a_base_may_be_used(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(
        f"_base_ = '{SOLO}'\n"
        'test_pipeline = _base_.test_pipeline\n'
        'val_dataloader = dict(dataset=dict(pipeline=test_pipeline))\n'
        "work_dir = '{{ fileBasenameNoExtension }}'\n"
        'val_evaluator = dict(ann_file={{_base_.val_evaluator.ann_file}})\n'
    )
    assert load(str(path)).work_dir == 'mine'


def test_the_launcher_is_the_options(tmp_path):
    path = tmp_path / 'saved.py'
    path.write_text(f"_base_ = '{SOLO}'\nlauncher = 'pytorch'\n")
    assert load(str(path)).launcher == 'none'
    assert load(str(path), '--launcher', 'slurm').launcher == 'slurm'


def test_what_the_tools_add_is_found_in_a_config_without_a_scope(tmp_path):
    path = tmp_path / 'pure.py'
    path.write_text(f"_base_ = '{SOLO}'\ndefault_scope = None\n")
    assert load(str(path)).default_scope == 'mmdet'
    path.write_text(f"_base_ = '{SOLO}'\ndefault_scope = 'mine'\n")
    assert load(str(path)).default_scope == 'mine'
