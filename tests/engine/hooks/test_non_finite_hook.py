from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from mmdet.engine import NonFiniteHook, OptimWrapper
from mmdet.errors import UserError
from mmdet.structures import DetDataSample
from tests.faults.small_training import build

NAN = torch.tensor(torch.nan)


@pytest.fixture
def runner(caplog):
    """As far as the hook asks it; the log is in `caplog`."""
    model = nn.Linear(1, 1)
    wrapper = OptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    logger = MMLogger.get_instance('non_finite')
    logger.addHandler(caplog.handler)
    hub = SimpleNamespace(runtime_info={})
    yield SimpleNamespace(
        model=model, optim_wrapper=wrapper, logger=logger, message_hub=hub, iter=0
    )
    logger.removeHandler(caplog.handler)


def pass_steps(hook: NonFiniteHook, runner: SimpleNamespace, *, left_out: set[int], end: int):
    for step in range(runner.iter + 1, end + 1):
        runner.iter = step - 1
        runner.optim_wrapper.was_left_out = step in left_out
        hook.after_train_iter(runner, 0, data_batch=[], outputs=dict(loss=NAN))


def test_too_many_within_some_end_the_training(runner, caplog):
    hook = NonFiniteHook(stop_after=2, within=3)
    pass_steps(hook, runner, left_out={1, 4, 7, 9}, end=8)
    with pytest.raises(UserError, match=r'2 of the last 3 steps .*Nothing is saved yet: lower'):
        pass_steps(hook, runner, left_out={1, 4, 7, 9}, end=9)
    hook.after_train(runner)
    assert caplog.messages[-1].startswith('4 steps were left out')


def test_what_a_line_says(runner, caplog):
    hook = NonFiniteHook()
    runner.optim_wrapper.was_left_out = True
    batch = dict(
        inputs=[torch.ones(3, 2, 2, dtype=torch.uint8), torch.full((3, 2, 2), torch.inf)],
        data_samples=[
            DetDataSample(metainfo=dict(img_id=7, img_path='/data/a.jpg')),
            DetDataSample(metainfo=dict(img_id='x')),
        ],
    )
    hook.after_train_iter(runner, 0, batch, dict(loss=NAN, loss_cls=torch.tensor(1.0), acc=3))
    assert caplog.messages[-1] == ('Step 1 is left out: loss nan; images 7 (a.jpg), x (not finite)')
    runner.model.bias.data.fill_(torch.inf)
    hook.after_train_iter(runner, 0, batch | dict(data_samples=[]), dict(loss=torch.ones(())))
    assert caplog.messages[-1] == (
        'Step 1 is left out: the gradients are not finite, though the losses are; '
        'weights that are not finite: bias'
    )


def test_numbers_that_mean_nothing():
    for stop_after, within in ((0, 5), (6, 5)):
        with pytest.raises(UserError, match='is not from 1 to within'):
            NonFiniteHook(stop_after=stop_after, within=within)


def test_every_training_has_it_unless_its_config_says_none(tmp_path):
    runner = build('ours', tmp_path / 'a')
    assert [hook.stop_after for hook in runner.hooks if isinstance(hook, NonFiniteHook)] == [10]
    hooks = dict(non_finite=None, checkpoint=None)
    runner = build('ours', tmp_path / 'b')
    runner._hooks.clear()
    runner.register_default_hooks(hooks)
    assert not [hook for hook in runner.hooks if isinstance(hook, NonFiniteHook)]
