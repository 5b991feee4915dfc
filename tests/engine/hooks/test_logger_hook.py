from types import SimpleNamespace

import pytest

from mmdet.engine.hooks import LoggerHook, logger_hook


@pytest.mark.parametrize(
    ('stage', 'describe'), [('train', 'describe_training'), ('test', 'describe_test')]
)
def test_a_log_begins_with_what_the_run_is(monkeypatch, stage, describe):
    said = []
    runner = SimpleNamespace(work_dir='w', logger=SimpleNamespace(info=said.append))
    monkeypatch.setattr(logger_hook, describe, lambda runner: f'goes to {runner.work_dir}')
    getattr(LoggerHook(), f'before_{stage}')(runner)
    assert said == ['goes to w']
