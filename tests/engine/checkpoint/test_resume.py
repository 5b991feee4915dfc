"""Going on from checkpoints that mmengine's own hook wrote, as mmdetection's are."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmdet.engine.checkpoint import check_fit
from mmdet.errors import UserError

STEPS = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=3),
    dict(type='MultiStepLR', milestones=[1], by_epoch=True),
]
IMAGES = [dict(inputs=row) for row in torch.arange(24.0).view(8, 3) / 24]
ONE_CYCLE = [dict(type='OneCycleLR', eta_max=0.1, total_steps=8, by_epoch=False)]


class Line(BaseModel):
    """The smallest model that a runner trains."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3, 1)

    def forward(self, inputs: Tensor, mode: str) -> dict[str, Tensor]:
        return dict(loss=self.line(inputs).square().mean())


class NoteScore(Hook):
    """Put a NumPy number into the message hub, as metrics do."""

    def after_train_epoch(self, runner: Runner) -> None:
        runner.message_hub.update_info('score', np.float64(0.5))


def runner_in(
    folder: Path,
    *,
    hook: str = 'mmengine.CheckpointHook',
    schedule: list[dict] = STEPS,
    ema: bool = False,
    load_from: Path | None = None,
    resume: bool = False,
) -> Runner:
    """Return a runner for two epochs of four steps; what it does is the same in every run."""
    return Runner(
        model=Line(),
        work_dir=str(folder),
        experiment_name=str(folder),
        default_scope='mmdet',
        train_dataloader=DataLoader(IMAGES, batch_size=2),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.05)),
        param_scheduler=schedule,
        default_hooks=dict(checkpoint=dict(type=hook, interval=1)),
        custom_hooks=[NoteScore(), *([dict(type='EMAHook', momentum=0.3)] if ema else [])],
        load_from=load_from and str(load_from),
        resume=resume,
    )


def weights(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=False)['state_dict']


@pytest.mark.parametrize('schedule', [STEPS, ONE_CYCLE], ids=['steps', 'one cycle'])
def test_a_training_of_mmdetections_goes_on(tmp_path, log, schedule):
    runner_in(tmp_path / 'theirs', schedule=schedule).train()
    half_way = tmp_path / 'theirs' / 'epoch_1.pth'
    with pytest.raises(pickle.UnpicklingError):
        torch.load(half_way, weights_only=True)

    resumed = runner_in(tmp_path / 'ours', schedule=schedule, load_from=half_way, resume=True)
    check_fit(resumed.model, str(half_way), resume=True)
    resumed.train()
    assert (resumed.epoch, resumed.iter) == (2, 8)
    expected = weights(tmp_path / 'theirs' / 'epoch_2.pth')
    for name, value in weights(tmp_path / 'ours' / 'epoch_2.pth').items():
        assert torch.equal(value, expected[name])
    assert len(resumed.message_hub.get_scalar('train/loss').data[0]) == 4  # of the second epoch
    (line,) = log
    assert line.startswith(f'{half_way}: ') and line.endswith('; log histories start anew')
    assert 'pickled objects in message_hub' in line


@pytest.mark.parametrize('hook', ['CheckpointHook', 'mmengine.CheckpointHook'])
def test_averaged_weights_go_on_being_averaged(tmp_path, log, hook):
    theirs = runner_in(tmp_path / 'theirs', hook=hook, ema=True)
    theirs.train()
    half_way = tmp_path / 'theirs' / 'epoch_1.pth'
    resumed = runner_in(tmp_path / 'ours', hook=hook, ema=True, load_from=half_way, resume=True)
    resumed.train()
    assert torch.equal(resumed.model.line.weight, theirs.model.line.weight)
    # What a test of the file loads is the average.
    averaged = weights(tmp_path / 'ours' / 'epoch_2.pth')
    assert torch.equal(
        averaged['line.weight'], weights(tmp_path / 'theirs' / 'epoch_2.pth')['line.weight']
    )
    assert not torch.equal(averaged['line.weight'], theirs.model.line.weight)


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_averaging_begins_with_weights_from_a_bare_file(tmp_path, prefix):
    bare = {f'{prefix}line.weight': torch.ones(1, 3), f'{prefix}line.bias': torch.ones(1)}
    torch.save(bare, tmp_path / 'bare.pth')
    runner = runner_in(tmp_path, ema=True, load_from=tmp_path / 'bare.pth')
    runner.call_hook('before_run')
    runner.load_or_resume()
    ema = next(hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook')
    assert torch.equal(ema.ema_model.module.line.weight, torch.ones(1, 3))
    assert torch.equal(runner.model.line.weight, torch.ones(1, 3))


@pytest.mark.parametrize('content', [dict(), dict(meta=dict(epoch=1, iter=4))])
def test_weights_alone_cannot_be_resumed(tmp_path, content):
    model = Line()
    torch.save(dict(state_dict=model.state_dict(), **content), tmp_path / 'a.pth')
    check_fit(model, str(tmp_path / 'a.pth'))
    with pytest.raises(UserError, match=r'no training to resume.*load_from=.*a\.pth'):
        check_fit(model, str(tmp_path / 'a.pth'), resume=True)
