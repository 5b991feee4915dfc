import pytest
import torch
from mmengine.config import Config

from mmdet.engine.hooks import PreflightHook
from mmdet.engine.launch import build_runner
from mmdet.registry import RUNNERS


@pytest.fixture
def own_runner():
    """The name of a runner of a user's own, which keeps what it is given."""

    class OwnRunner:
        def __init__(self, cfg: Config) -> None:
            self.cfg = cfg
            self.model = torch.nn.Linear(1, 1)
            self.hooks = []

        @classmethod
        def from_cfg(cls, cfg: Config) -> 'OwnRunner':
            return cls(cfg)

        def register_hook(self, hook: object) -> None:
            self.hooks.append(hook)

    RUNNERS.register_module(module=OwnRunner)
    yield 'OwnRunner'
    RUNNERS.module_dict.pop('OwnRunner')


def test_a_users_runner_is_built_and_looks_before_it_starts(own_runner):
    runner = build_runner(Config(dict(runner_type=own_runner, launcher='none')))
    assert type(runner).__name__ == own_runner
    assert [type(hook) for hook in runner.hooks] == [PreflightHook]
