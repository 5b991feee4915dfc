from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from mmdet.engine import PipelineSwitchHook
from mmdet.engine.placed_data import placed
from mmdet.errors import UserError
from mmdet.registry import HOOKS
from tests.faults.training import EPOCH, config, train

OTHER = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=(96, 96), keep_ratio=False),
    dict(type='PackDetInputs'),
]


@HOOKS.register_module()
class Sizes(Hook):
    """Notes the sizes of the images of each step."""

    of: ClassVar[dict[int, set]] = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.of[runner.iter] = {tuple(image.shape[1:]) for image in data_batch['inputs']}


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_training_goes_on_with_images_of_the_other_pipeline(shapes_root, tmp_path, by_epoch):
    cfg = config(shapes_root, tmp_path, epochs=2, workers=int(by_epoch))
    if not by_epoch:
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=EPOCH + 2, val_interval=99)
    Sizes.of.clear()
    cfg.custom_hooks = [
        dict(type='PipelineSwitchHook', switch_epoch=1, switch_pipeline=OTHER),
        dict(type='Sizes'),
    ]
    train(cfg)
    assert len(Sizes.of) >= EPOCH + 2
    for step, size in Sizes.of.items():
        assert (size == {(96, 96)}) == (step >= EPOCH), step


def runner_of(loader: object, **changes: object) -> SimpleNamespace:
    return SimpleNamespace(train_dataloader=loader, train_loop=changes)


def test_data_without_epochs_are_refused():
    data = torch.arange(4)
    endless = placed(DataLoader(data, sampler=InfiniteSampler(data, seed=0)), seed=0)
    hook = PipelineSwitchHook(1, OTHER)
    with pytest.raises(UserError, match=r'InfiniteSampler never comes .* no epoch 1: take train'):
        hook.before_train(runner_of(endless))
    plain = DataLoader(data, sampler=DefaultSampler(data, seed=0))
    with pytest.raises(UserError, match='samples of dict do not know their epoch'):
        hook.before_train(runner_of(plain))
    with pytest.raises(UserError, match='the data set of train_dataloader has no pipeline'):
        hook.before_train(runner_of(placed(plain, seed=0)))


def test_a_switch_that_never_comes_is_said(shapes_root, tmp_path):
    cfg = config(shapes_root, tmp_path, epochs=1)
    cfg.custom_hooks = [dict(type='PipelineSwitchHook', switch_epoch=1, switch_pipeline=OTHER)]
    train(cfg)
    (log,) = tmp_path.glob('*/*.log')
    assert 'ends after 1 epochs, before switch_epoch=1: it never switches' in log.read_text()
