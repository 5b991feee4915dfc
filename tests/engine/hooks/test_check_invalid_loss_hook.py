from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper as MMEngineOptimWrapper
from torch import nn

from mmdet.engine import CheckInvalidLossHook
from mmdet.errors import UserError
from tests.faults.small_training import IMAGES, build

NAN = torch.tensor(torch.nan)


def train(folder: Path, *, bad_at: set[int], interval: int, monkeypatch) -> None:
    """Train for six steps, some of which have a NaN for their loss."""
    runner = build('ours', folder, custom_hooks=(CheckInvalidLossHook(interval),))

    def loss(inputs: torch.Tensor, mode: str) -> dict:
        found = runner.model.line(inputs).square().mean()
        return dict(loss=found * NAN if runner.iter + 1 in bad_at else found)

    monkeypatch.setattr(runner.model, 'forward', loss)
    runner.train()


@pytest.mark.parametrize(('interval', 'bad_at'), [(3, {1}), (3, {3}), (2, {5, 6}), (6, {2, 3})])
def test_a_bad_step_ends_the_training_when_the_hook_looks(tmp_path, monkeypatch, interval, bad_at):
    assert len(IMAGES) == 4  # two steps an epoch, and a checkpoint after each
    complaint = rf'step {min(bad_at)} is NaN'
    with pytest.raises(UserError, match=complaint) as caught:
        train(tmp_path, bad_at=bad_at, interval=interval, monkeypatch=monkeypatch)
    looked_at = -(-min(bad_at) // interval) * interval
    # The checkpoint of an epoch is saved after its last step, which this hook does not let pass.
    saved = (looked_at - 1) // 2
    assert (f'epoch_{saved}.pth' in str(caught.value)) == (saved > 0)


def test_without_a_bad_step_nothing_happens(tmp_path, monkeypatch):
    train(tmp_path, bad_at=set(), interval=1, monkeypatch=monkeypatch)


def test_after_the_last_look_it_is_too_late(tmp_path, monkeypatch):
    train(tmp_path, bad_at={5}, interval=4, monkeypatch=monkeypatch)


def test_of_another_optimizer_wrapper_the_loss_says_it():
    model = nn.Linear(1, 1)
    wrapper = MMEngineOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    hub = SimpleNamespace(runtime_info={})
    runner = SimpleNamespace(optim_wrapper=wrapper, message_hub=hub, iter=0)
    hook = CheckInvalidLossHook(2)
    hook.after_train_iter(runner, 0, outputs=dict(loss=NAN))
    runner.iter = 1
    with pytest.raises(UserError, match='of step 2 is NaN or infinite: lower the learning rate'):
        hook.after_train_iter(runner, 1, outputs=dict(loss=NAN))


def test_an_interval_below_one_is_refused():
    with pytest.raises(UserError, match='interval=0 is below 1'):
        CheckInvalidLossHook(0)
