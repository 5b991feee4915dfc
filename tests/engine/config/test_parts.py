import pytest
from mmengine.evaluator import DumpResults

from mmdet.engine.config import (
    datasets_of,
    datasets_with_steps,
    is_a,
    metainfo_of,
    metrics_of,
    pipeline_of_tests,
)
from mmdet.errors import UserError
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS

A, B = dict(type='A'), dict(type='B')


@pytest.mark.parametrize(
    ('dataset', 'expected'),
    [
        (A, [A]),
        (dict(type='RepeatDataset', dataset=A), [A]),
        (dict(type='ConcatDataset', datasets=[A, dict(type='RepeatDataset', dataset=B)]), [A, B]),
        (None, []),
    ],
)
def test_innermost_data_sets(dataset, expected):
    assert list(datasets_of(dict(dataset=dataset))) == expected


def test_steps_of_wrappers_come_after_the_data_sets_own():
    inner = dict(type='A', pipeline=[dict(type='First')])
    mix = dict(type='MultiImageMixDataset', dataset=inner, pipeline=[dict(type='Second')])
    whole = dict(dataset=dict(type='ConcatDataset', datasets=[mix, B]))
    assert list(datasets_with_steps(whole)) == [
        (inner, [dict(type='First'), dict(type='Second')]),
        (B, []),
    ]


def test_no_loader_has_no_data_sets():
    assert list(datasets_of(None)) == []


@pytest.mark.parametrize('evaluator', [[A, B], (A, B), dict(type='Evaluator', metrics=[A, B])])
def test_metrics_of_every_form(evaluator):
    assert metrics_of(evaluator) == [A, B]


def test_a_single_metric_or_none():
    assert metrics_of(A) == metrics_of(dict(metrics=A)) == [A]
    assert metrics_of(None) == []


@pytest.mark.parametrize('kind', ['CocoMetric', 'mmdet.CocoMetric', CocoMetric])
def test_a_type_may_be_a_name_or_a_class(kind):
    assert is_a(dict(type=kind), METRICS, CocoMetric)


@pytest.mark.parametrize('kind', ['DumpResults', 'mmdet.DumpResults'])
def test_mmengines_types_are_found_with_this_projects_scope(kind):
    assert is_a(dict(type=kind), METRICS, DumpResults)


@pytest.mark.parametrize('node', [dict(type='DumpResults'), dict(type=dict), dict()])
def test_what_is_no_such_type(node):
    assert not is_a(node, METRICS, CocoMetric)


def test_classes_are_said_or_known():
    assert len(metainfo_of(dict(type='CocoDataset'))['classes']) == 80
    said = dict(type='CocoDataset', metainfo=dict(classes=('a',), palette=None))
    assert metainfo_of(said)['classes'] == ('a',)
    assert metainfo_of(dict(type=dict)) == {}


def test_the_pipeline_of_tests():
    steps = [dict(type='LoadImageFromFile')]
    loader = dict(dataset=dict(type='RepeatDataset', dataset=dict(pipeline=steps)))
    assert pipeline_of_tests(dict(test_dataloader=loader, test_pipeline=[])) == steps
    assert pipeline_of_tests(dict(val_dataloader=loader)) == steps
    assert pipeline_of_tests(dict(test_pipeline=steps)) == steps
    with pytest.raises(UserError, match='the config has no test pipeline'):
        pipeline_of_tests(dict(train_dataloader=loader))
