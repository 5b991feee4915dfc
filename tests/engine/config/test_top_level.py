import pytest

from mmdet.engine.config.top_level import check_names, near_name, paths_of


@pytest.mark.parametrize(
    'name', ['optim_wraper', 'train_dataloder', 'default_hook', 'custom_hook', 'load_form', 'resum']
)
def test_a_slip_of_the_pen_is_named(name):
    values = dict(load_form='x.pth', resum=True, custom_hook=[dict(type='EMAHook')])
    cfg = {name: values.get(name, dict(optimizer=dict(lr=0.005))), 'model': dict(type='SOLO')}
    (complaint,) = check_names(cfg)
    assert complaint == f'{name}: nothing reads this; did you mean {near_name(name)!r}?'


def test_a_variable_that_was_used_may_have_any_name():
    metrics = [dict(type='CocoMetric', ann_file='x.json')]
    assert not list(check_names(dict(val_evaluators=metrics, val_evaluator=metrics)))
    assert list(check_names(dict(val_evaluators=metrics, val_evaluator=[])))


def test_a_variable_of_another_kind_may_have_any_name():
    assert not list(check_names(dict(mode='train', models=3, loda_from=[1])))


@pytest.mark.parametrize(
    'name',
    ['train_evaluator', 'optimizer', 'train_pipeline', 'vis_backends', 'data_root', 'img_scales'],
)
def test_usual_variables_are_near_to_nothing(name):
    assert near_name(name) is None


def test_kinds_of_values():
    complaints = list(
        check_names(dict(model='SOLO', custom_hooks=dict(), randomness=None, default_scope=None))
    )
    assert [complaint.split(' ')[0] for complaint in complaints] == [
        'model',
        'custom_hooks',
        'randomness',
    ]


def test_paths_of_a_value():
    pipeline = [dict(type='Resize')]
    cfg = dict(train_dataloader=dict(dataset=dict(pipeline=pipeline)), mine=pipeline)
    assert paths_of(cfg, pipeline) == ['train_dataloader.dataset.pipeline']
    assert paths_of(cfg, 'Resize') == ['train_dataloader.dataset.pipeline.0.type']
    assert paths_of(cfg, True) == []
