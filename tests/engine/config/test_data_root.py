import pytest
from mmengine.config import Config

from mmdet.engine.config.data_root import set_data_root
from mmdet.errors import UserError
from tests.conftest import REPO
from tests.test_configs import load

SOLO = str(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')


def moved(root, *, datasets: list[dict], evaluator=None, **variables) -> Config:
    """Return a config of these training data sets after its root was set."""
    dataset = dict(type='ConcatDataset', datasets=datasets)
    cfg = Config(dict(train_dataloader=dict(dataset=dataset), val_evaluator=evaluator, **variables))
    set_data_root(cfg, str(root))
    return cfg


def test_data_root_moves_data_sets_and_evaluators(tmp_path):
    cfg = load(SOLO, '--data-root', str(tmp_path))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert cfg[loader].dataset.data_root == str(tmp_path)
        assert cfg[loader].dataset.ann_file.startswith('annotations/')
        assert cfg[loader].dataset.data_prefix.img in ('train2017/', 'val2017/')
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


def test_paths_that_only_begin_alike_stay(tmp_path):
    cfg = moved(
        tmp_path,
        datasets=[dict(data_root='data/coco')],
        evaluator=[dict(ann_file='data/coco_lvis/x.json'), dict(ann_file='data/coco/./x.json')],
    )
    assert cfg.val_evaluator[0].ann_file == 'data/coco_lvis/x.json'
    assert cfg.val_evaluator[1].ann_file == f'{tmp_path}/x.json'


@pytest.mark.parametrize('roots', [('data', 'data/coco/'), ('data/coco/', 'data')])
def test_of_nested_roots_the_innermost_counts(tmp_path, roots):
    datasets = [dict(data_root=root) for root in roots]
    cfg = moved(tmp_path, datasets=datasets, evaluator=dict(ann_file='data/coco/a/x.json'))
    assert cfg.val_evaluator.ann_file == f'{tmp_path}/a/x.json'
    cfg = moved(tmp_path, datasets=datasets, evaluator=dict(ann_file='data/a/x.json'))
    assert cfg.val_evaluator.ann_file == f'{tmp_path}/a/x.json'


def test_metrics_of_a_named_evaluator_move(tmp_path):
    evaluator = dict(type='Evaluator', metrics=[dict(ann_file='old/x.json'), dict(type='Other')])
    cfg = moved(tmp_path, datasets=[dict(data_root='old')], evaluator=evaluator)
    assert cfg.val_evaluator.metrics[0].ann_file == f'{tmp_path}/x.json'
    assert 'ann_file' not in cfg.val_evaluator.metrics[1]


def test_whole_paths_in_a_data_set_move_with_its_root(tmp_path):
    dataset = dict(
        data_root='/old', ann_file='/old/a.json', data_prefix=dict(img='/old/images/', other='')
    )
    (found,) = moved(tmp_path, datasets=[dataset]).train_dataloader.dataset.datasets
    assert found == dict(
        data_root=str(tmp_path), ann_file='a.json', data_prefix=dict(img='images/', other='')
    )


def test_a_data_set_without_a_root_is_taken_out_of_the_files_variable(tmp_path):
    dataset = dict(ann_file='data/coco/a.json', data_prefix=dict(img='data/coco/images/'))
    cfg = moved(tmp_path, datasets=[dataset], data_root='data/coco/')
    (found,) = cfg.train_dataloader.dataset.datasets
    assert found == dict(
        data_root=str(tmp_path), ann_file='a.json', data_prefix=dict(img='images/')
    )


def test_relative_paths_stay_relative_to_the_root(tmp_path):
    dataset = dict(data_root='a', ann_file='a/x.json')  # the file a/a/x.json
    (found,) = moved(tmp_path, datasets=[dataset]).train_dataloader.dataset.datasets
    assert found.ann_file == 'a/x.json'


def test_a_root_that_does_not_exist(tmp_path):
    with pytest.raises(UserError, match='--data-root'):
        load(SOLO, '--data-root', str(tmp_path / 'none'))
